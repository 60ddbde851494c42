/** One of several processes that write to one journal: `sqlite-writer.ts PATH JOB COUNT`; or one that writes until it is killed. */
import { writeSync } from "node:fs";
import { sqliteJournal } from "../../lib/adapters/local/sqlite-journal.ts";
import { millis } from "../../lib/domain/time/time.ts";
import { fakeClock } from "../support/fakes/clock.ts";

const [path = "", job = "", count = "0"] = process.argv.slice(2);
const clock = fakeClock();

await using journal = await sqliteJournal({ path, clock, scrub: (value) => value });
/** Several accounts at once, and says which entries are there. */
async function writeForever(account: string): Promise<never> {
  for (let index = 0; ; index += 1) {
    await journal.append({ at: clock.now(), job: account, account: "-", kind: "verdict", data: { index } });
    writeSync(1, `${account} ${index}\n`);
  }
}
if (count === "forever") await Promise.all(["a", "b", "c", "d", "e"].map(writeForever));
for (let index = 0; index < Number(count); index += 1)
  await journal.append({ at: clock.now(), job, account: "-", kind: "verdict", data: { index } });
const leased = await journal.acquire("the-one", job, millis(60_000));
console.log(JSON.stringify({ leased }));
