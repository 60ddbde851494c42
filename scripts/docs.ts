/** Writes what documents have from the code: `node scripts/docs.ts`. Tests fail if they are outdated. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { MAN_PAGE, manPage } from "./man.ts";
import { PAGES, pagesDocument } from "./pages.ts";
import { writeTables } from "./reference.ts";

await writeTables();
await writeFile(PAGES, await pagesDocument());
await mkdir(dirname(MAN_PAGE), { recursive: true });
await writeFile(MAN_PAGE, manPage());
