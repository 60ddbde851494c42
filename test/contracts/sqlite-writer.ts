/** One of several processes that write to one journal: `sqlite-writer.ts PATH JOB COUNT`. */
import { sqliteJournal } from "../../lib/adapters/local/sqlite-journal.ts";
import { epochMillis, millis } from "../../lib/domain/time/time.ts";

const [path = "", job = "", count = "0"] = process.argv.slice(2);
const clock = { now: () => epochMillis(Date.UTC(2030, 0, 1)) };

await using journal = await sqliteJournal({ path, clock, scrub: (value) => value });
for (let index = 0; index < Number(count); index += 1)
  await journal.append({ at: clock.now(), job, account: "-", kind: "verdict", data: { index } });
const leased = await journal.acquire("the-one", job, millis(60_000));
console.log(JSON.stringify({ leased }));
