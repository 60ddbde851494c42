/** Writes what documents have from the code: `node scripts/docs.ts`. Tests fail if they are outdated. */
import { writeFile } from "node:fs/promises";
import { PAGES, pagesDocument } from "./pages.ts";
import { writeTables } from "./reference.ts";

await writeTables();
await writeFile(PAGES, await pagesDocument());
