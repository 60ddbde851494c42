import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "@jest/globals";
import { parseConfig } from "../lib/config/config.ts";
import { FAILURE_CLASSES } from "../lib/domain/incidents/incident.ts";
import { METRIC_TABLES, OBSERVABILITY, REFERENCE, withTables } from "../scripts/reference.ts";

const read = (name: string): Promise<string> => readFile(new URL(`../${name}`, import.meta.url), "utf8");

test("the reference's tables are what the code says (npm run docs writes them)", async () => {
  const text = await readFile(REFERENCE, "utf8");
  expect(text).toBe(withTables(text));
  const metrics = await readFile(OBSERVABILITY, "utf8");
  expect(metrics).toBe(withTables(metrics, METRIC_TABLES));
});

test("the README's configuration is one that Relight accepts", async () => {
  const yaml = /```yaml\n([\s\S]*?)```/.exec(await read("README.md"))?.[1] ?? "";
  const complete = yaml.replace("AB…", `A${"B".repeat(55)}`);
  expect(parseConfig(complete, "relight.yaml").accounts).toMatchObject([{ name: "APP" }]);
});

test("the ways to restart that are shown are ones that Relight accepts", async () => {
  const cluster = "cluster: { servers: [a], systemCredentials: file:c }\noperator: { jwt: file:o }\n";
  const blocks = [...(await read("docs/restarts.md")).matchAll(/```yaml\n(restart:[\s\S]*?)```/g)];
  const ways = blocks.map(
    ([, yaml = ""]) => Object.keys(parseConfig(cluster + yaml, "r.yaml").restart ?? {})[0],
  );
  expect(ways).toEqual(["command", "webhook", "kubernetes"]);
});

test("every key of the configuration is in the reference", async () => {
  const text = await readFile(REFERENCE, "utf8");
  const source = (await read("lib/config/config.ts")) + (await read("lib/config/cluster.ts"));
  const keys = [...source.matchAll(/^ {2,6}(\w+): (?:z|secretReference|duration|accountId)/gm)].map(
    ([, key]) => key,
  );
  expect(keys.length).toBeGreaterThan(10);
  for (const key of keys) expect(text).toContain(key);
});

test("every class of failure is in the reference", async () => {
  const text = await readFile(REFERENCE, "utf8");
  for (const failureClass of FAILURE_CLASSES) expect(text).toContain(failureClass);
});

test("every link in the documentation leads somewhere", async () => {
  const files = await readdir(new URL("../docs/", import.meta.url), { recursive: true });
  const pages = files.filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`);
  expect(pages.length).toBeGreaterThan(30);
  for (const page of ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", ...pages]) {
    const folder = new URL(`../${page}`, import.meta.url);
    const links = [...(await read(page)).matchAll(/\]\((?!https?:)([^)#]+)/g)].map(
      ([, target]) => target ?? "",
    );
    for (const link of links) await expect(readFile(new URL(link, folder))).resolves.toBeDefined();
  }
});
