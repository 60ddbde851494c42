import type { Incident } from "../../domain/incidents/incident.ts";
import { type Links, type PagePart, type PageText, pageText } from "../../domain/incidents/page-text.ts";
import type { JsonObject } from "../../domain/time/json.ts";
import { clip } from "../../domain/time/text.ts";
import type { Escalation } from "../../ports/escalation.ts";
import { type ChannelSettings, postedEscalation } from "./persistent.ts";

/** The maximum length of a section's text (docs.slack.dev, block kit reference). */
const LONGEST_SECTION = 3_000;
const LONGEST_LINK = 500;

export interface SlackSettings extends ChannelSettings {
  /** The address of an incoming webhook; a secret, because anybody who knows it can post. */
  readonly url: string;
  readonly links?: Links;
}

/** Posts incidents to a Slack channel as blocks. @throws RelightError `config.invalid` for a bad address. */
export function slackEscalation({ links, ...settings }: SlackSettings): Escalation {
  return postedEscalation({
    ...settings,
    kind: "Slack",
    message: (incident) => slackMessage(incident, links),
  });
}

function slackMessage(incident: Incident, links: Links | undefined): JsonObject {
  const text = pageText(incident, links);
  return {
    // Shown in notifications.
    text: escaped(`${text.title}. ${text.parts[0]?.lines[0] ?? ""}`),
    blocks: [
      {
        type: "header",
        text: { type: "plain_text", text: `${emojiOf(incident)} ${text.title}`.slice(0, 150), emoji: false },
      },
      ...text.parts.map((part) => section(sectionOf(part))),
      ...(text.links.length === 0 ? [] : [section(text.links.map(linkOf).join("\n"))]),
      { type: "context", elements: [...text.references, clip(incident.key, 300)].map(plainText) },
    ],
  };
}

/** Verbatim: what looks like a channel, a person or an address in a name is not linked. */
const section = (text: string): JsonObject => ({ type: "section", text: { type: "mrkdwn", text, verbatim: true } });

/** A runbook may be a path, which Slack can't link. */
function linkOf({ text, href }: PageText["links"][number]): string {
  return /^https?:\/\//.test(href) ? `<${escaped(href)}|${text}>` : `${text}: ${escaped(clip(href, LONGEST_LINK))}`;
}

const plainText = (text: string): JsonObject => ({ type: "plain_text", text, emoji: false });

function sectionOf({ heading, lines, isCommand }: PagePart): string {
  if (isCommand) return `*${heading}*\n\`\`\`${lines.map(escaped).join("\n")}\`\`\``;
  const list = lines.length > 1 ? lines.map((line) => `• ${line}`) : lines;
  const text = [`*${heading}*`, ...list].map(escaped).join("\n");
  if (text.length <= LONGEST_SECTION) return text;
  // Do not cut within an escaped character or a surrogate pair.
  const cut = text.slice(0, LONGEST_SECTION - 1);
  return `${cut.replace(/(&[a-z]{0,3}|[\uD800-\uDBFF])$/, "")}…`;
}

/** Escapes Slack's markup, so `<!channel>` in a message notifies nobody. */
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function emojiOf({ status, severity }: Incident): string {
  if (status === "resolved") return "✅";
  return severity === "critical" ? "🚨" : "⚠️";
}
