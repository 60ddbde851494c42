import { html } from "hono/html";
import type { SeenStream } from "../../lib/domain/observation/streams-seen.ts";
import { isJsonObject, type Json, type JsonObject } from "../../lib/domain/time/json.ts";
import { counted } from "../../lib/domain/time/text.ts";
import { describeSubject, type Health, type Subject, worst } from "../../lib/domain/verdict/verdict.ts";
import { badge, type Html, plain, said } from "./layout.ts";

/** A verdict by server, stream, consumer and leafnode, as the journal has it. */

interface Row {
  readonly title: string;
  readonly note: string;
  readonly findings: readonly JsonObject[];
  /** By default that of the findings. */
  readonly health?: Health;
}

const healthOf = (findings: readonly JsonObject[]): Health =>
  worst(findings.map((one) => String(one["health"]) as Health));

const listOf = (value: Json | undefined): readonly JsonObject[] =>
  Array.isArray(value) ? value.filter(isJsonObject) : [];

/** The most rows of one kind. The journal has all of them. */
const MOST = 200;

export function parts(verdict: JsonObject, streams: readonly SeenStream[]): Html {
  const findings = listOf(verdict["findings"]);
  const servers = listOf(verdict["servers"]).map((server) => serverRow(server, findings));
  const leaves = leafRows(listOf(verdict["leafnodes"]), findings);
  const assets = assetRows(findings, streams);
  const rest = findings.filter((finding) => kindOf(finding) === "account");
  const warnings = listOf(verdict["warnings"]);
  return html`${table("The account", rest.length === 0 ? [] : [{ title: "The account", note: "", findings: rest }])}
${table("Streams and consumers", assets)}
${table("Servers", servers)}
${table("Leafnodes", leaves)}
${warnings.length === 0 ? "" : html`<h3>Warnings</h3><ul class="findings">${warnings.slice(0, MOST).map((one) => findingItem(one))}</ul>`}`;
}

const subjectOf = ({ subject }: JsonObject): Subject => (isJsonObject(subject) ? (subject as Subject) : {});

type Kind = "asset" | "leaf" | "server" | "account";

function kindOf(finding: JsonObject): Kind {
  const { stream, consumer, leafnode, domain, server } = subjectOf(finding);
  if (stream !== undefined || consumer !== undefined) return "asset";
  if (leafnode !== undefined || domain !== undefined) return "leaf";
  return server === undefined ? "account" : "server";
}

/** A server is as well as what is on it; findings of streams are shown with these. */
function serverRow({ name, version, topology, resolver }: JsonObject, findings: readonly JsonObject[]): Row {
  const here = findings.filter((one) => subjectOf(one).server === name);
  const own = here.filter((one) => kindOf(one) === "server");
  const others = here.length - own.length;
  const above = others === 0 ? undefined : counted(others, "stream or consumer finding");
  const place = [version, topology, resolver && `${String(resolver)} resolver`].filter(Boolean).map(String).join(", ");
  return {
    title: String(name),
    note: [place, above].filter(Boolean).join("; "),
    findings: own,
    health: healthOf(here),
  };
}

function leafRows(leafnodes: readonly JsonObject[], findings: readonly JsonObject[]): readonly Row[] {
  const connected = leafnodes.map(({ name, server }) => ({
    title: String(name),
    note: `connected to ${String(server)}`,
  }));
  const about = findings.filter((one) => kindOf(one) === "leaf");
  const named = about.map((one) => subjectOf(one).leafnode ?? `domain ${subjectOf(one).domain}`);
  const missing = [...new Set(named)].filter((name) => !connected.some(({ title }) => title === name));
  const rows = [...connected, ...missing.map((title) => ({ title, note: "" }))];
  return rows.map((row) => ({ ...row, findings: about.filter((_, index) => named[index] === row.title) }));
}

/** Streams and consumers with findings first; then the streams that the last healthy check saw. */
function assetRows(findings: readonly JsonObject[], streams: readonly SeenStream[]): readonly Row[] {
  const groups = Map.groupBy(
    findings.filter((one) => kindOf(one) === "asset"),
    (one) => {
      const { stream, consumer } = subjectOf(one);
      return describeSubject({
        ...(stream === undefined ? {} : { stream }),
        ...(consumer === undefined ? {} : { consumer }),
      });
    },
  );
  const bad = [...groups].map(([title, own]) => ({ title, note: "", findings: own }));
  const quiet = streams.map(({ name, servers, consumers = [] }) => ({
    title: name,
    note: `${counted(consumers.length, "durable consumer")}, on ${servers.join(", ")}`,
    findings: [],
  }));
  return [...bad, ...quiet.filter(({ title }) => !groups.has(title))];
}

/** What is well is folded up if there is much of it. */
const MOST_WELL = 8;

function table(title: string, rows: readonly Row[]): Html | "" {
  if (rows.length === 0) return "";
  const [bad, well] = [rows.filter((row) => !isWell(row)), rows.filter(isWell)];
  const list = (some: readonly Row[]): Html => html`<ul class="parts">${some.slice(0, MOST).map(partRow)}</ul>
${some.length > MOST ? html`<p class="dim">and ${some.length - MOST} more</p>` : ""}`;
  const shown =
    well.length <= MOST_WELL
      ? list([...bad, ...well])
      : html`${bad.length === 0 ? "" : list(bad)}<details><summary>${well.length} without a finding</summary>${list(well)}</details>`;
  return html`<h3>${title}</h3>${shown}`;
}

const isWell = ({ findings, health = healthOf(findings) }: Row): boolean => health === "healthy";

function partRow({ title, note, findings, health = healthOf(findings) }: Row): Html {
  return html`<li><span class="part">${badge(health)}<b>${said(title, 200)}</b><span class="dim">${said(note, 300)}</span></span>
${findings.length === 0 ? "" : html`<ul class="findings">${findings.slice(0, MOST).map((one) => findingItem(one))}</ul>`}</li>`;
}

/** A finding with its advice and evidence. */
export function findingItem(finding: JsonObject): Html {
  const { message, code, advice, evidence } = finding;
  const subject = describeSubject(subjectOf(finding));
  const more = isJsonObject(evidence) && Object.keys(evidence).length > 0 ? JSON.stringify(evidence, null, 2) : "";
  return html`<li><span class="dim">${said(subject, 200)}:</span> ${said(String(message))} <code>${plain(String(code), 60)}</code>
${typeof advice === "string" ? html`<p>${said(advice)}</p>` : ""}
${more === "" ? "" : html`<details><summary>Evidence</summary><pre>${evidenceText(more)}</pre></details>`}</li>`;
}

/** The most characters of evidence. */
const MOST_EVIDENCE = 8_000;

/** Line by line, because the lines of the JSON are wanted. */
const evidenceText = (json: string): string =>
  json
    .slice(0, MOST_EVIDENCE)
    .split("\n")
    .map((line) => plain(line, 1_000))
    .join("\n");
