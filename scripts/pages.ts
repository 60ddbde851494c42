/**
 * Makes docs/pages.md (`npm run docs`). Its pages are what the real channels send in the scenes of
 * test/support/page-scenes.ts. A test fails if it is outdated.
 */
import { join } from "node:path";
import { FAILURE_CLASSES, type FailureClass } from "../lib/domain/incidents/classes.ts";
import type { JsonObject } from "../lib/domain/time/json.ts";
import { PAGE_SCENES } from "../test/support/page-scenes.ts";
import { renderPage } from "../test/support/rendered-pages.ts";

export const PAGES = join(import.meta.dirname, "..", "docs", "pages.md");

const HEAD = `# Pages

What people see when Relight pages them. These pages are made by \`npm run docs\`: accounts on a simulated cluster break,
Relight does its jobs, and the channels render what it sends. The [runbook](runbook.md) says what to do about each, the
[reference](reference.md#incidents) when pages are sent, repeated and resolved.
`;

/** The class that is shown in each channel. */
const EXAMPLE: FailureClass = "jetstream_dead";

/** The evidence is the verdict and more: too long to read here. */
const CUT = { "…": "the verdict, the remedies, the losses and the mode" };

const block = (language: string, text: string): string => `\`\`\`${language}\n${text}\n\`\`\`\n`;
const json = (value: JsonObject): string => block("json", JSON.stringify(value, null, 2));

/** The whole page. */
export async function pagesDocument(): Promise<string> {
  const sections = [HEAD, "## In each channel\n", `${PAGE_SCENES[EXAMPLE].title}\n`, await channels()];
  for (const failureClass of FAILURE_CLASSES) sections.push(await classSection(failureClass));
  return sections.join("\n");
}

async function channels(): Promise<string> {
  const incidents = await PAGE_SCENES[EXAMPLE].play();
  const [page, resolved] = [incidents[0], incidents.at(-1)];
  if (page === undefined || resolved === undefined) throw new Error(`nobody was paged about ${EXAMPLE}`);
  const { slack, pagerDuty, webhook, mail } = await renderPage(page);
  const end = await renderPage(resolved);
  return [
    `### Mail and text messages (SNS)\n\nSubject: \`${mail.subject}\`\n\n${block("text", mail.text)}`,
    `And once it is over, with the subject \`${end.mail.subject}\`:\n\n${block("text", end.mail.text)}`,
    `### Slack\n\n${json(slack)}`,
    `### PagerDuty\n\n${json(withoutEvidence(pagerDuty, ["payload", "custom_details", "evidence"]))}`,
    `### Webhook\n\n${json(withoutEvidence(webhook, ["data", "evidence"]))}`,
  ].join("\n");
}

/** A copy with the value at the path replaced. */
function withoutEvidence(value: JsonObject, [key = "", ...rest]: readonly string[]): JsonObject {
  const inner = rest.length === 0 ? CUT : withoutEvidence(value[key] as JsonObject, rest);
  return { ...value, [key]: inner };
}

async function classSection(failureClass: FailureClass): Promise<string> {
  const { title, play } = PAGE_SCENES[failureClass];
  const incidents = await play();
  const mails = await Promise.all(incidents.map(async (incident) => (await renderPage(incident)).mail));
  const last = mails.at(-1)?.text.split("\n")[0] ?? "";
  return [
    `## ${failureClass}\n`,
    `${title} ([runbook](runbook.md#${failureClass}))\n`,
    ...mails.slice(0, -1).map(({ text }) => block("text", text)),
    `It ends with \`${last}\`.\n`,
  ].join("\n");
}
