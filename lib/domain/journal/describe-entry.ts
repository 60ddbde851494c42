import { readLosses } from "../ladder/loss.ts";
import { nameOfGroup } from "../ladder/step-down.ts";
import { isJsonObject, type Json } from "../time/json.ts";
import { counted } from "../time/text.ts";
import type { JournalEntry } from "./journal.ts";

/** What an entry says, for people. Somebody may have written any data. */
export function describeEntry({ kind, data }: Pick<JournalEntry, "kind" | "data">): string {
  const text = (key: string): string => String(data[key] ?? "");
  // One entry that somebody wrote otherwise must not hide all the others.
  const list = (key: string): readonly Json[] => (Array.isArray(data[key]) ? data[key] : []);
  switch (kind) {
    case "job.requested":
      return `${text("action")} (${text("actor")}: ${text("reason")})`;
    case "job.started":
      return `${text("action")} (${text("trigger")}: ${text("reason")})`;
    case "job.finished":
      return text("outcome");
    case "verdict":
      return `${text("verdict")}, ${counted(list("findings").length, "finding")}`;
    case "claims.seen":
    case "toggle.opened":
    case "toggle.closed":
    case "push.proved":
      return `jti ${text("jti")}${list("servers").length > 0 ? ` on ${list("servers").join(", ")}` : ""}`;
    case "push.started":
      return text("purpose");
    case "gate.refused":
      return list("refusals")
        .map((refusal) => (isJsonObject(refusal) ? String(refusal["message"]) : ""))
        .join("; ");
    case "reconfigure.opened":
    case "reconfigure.closed":
      return `stream ${text("stream")}`;
    case "memory.seen":
      return counted(list("memory").length, "stream");
    case "restart.opened":
    case "restart.closed":
      return `server ${text("server")}`;
    case "loss.found":
      return readLosses(data)
        .map(({ message }) => message)
        .join("; ");
    case "loss.acknowledged":
      return `${readLosses(data).map(nameOfGroup).join(", ")}, by ${text("by")}: ${text("reason")}`;
    case "account.deleted":
      return `${text("how")}${data["jti"] ? `, jti ${text("jti")}` : ""}`;
    case "account.forgotten":
      return text("reason");
    case "streams.seen":
      return counted(list("streams").length, "stream");
    case "tiers.seen":
      return isJsonObject(data["servers"]) ? Object.keys(data["servers"]).join(", ") || "none" : "none";
    case "source.adopted":
      return `difference ${text("difference")}`;
    case "rung.started":
      return `${text("rung")}: ${text("why")}`;
    case "rung.finished":
      return `${text("rung")} ${text("result")}`;
    case "rotation.started":
      return `${counted(list("accounts").length, "account")} to ${text("to")}`;
    case "rotation.account":
      return `${text("name")} ${text("result")}`;
    case "rotation.finished":
      return `${text("state")}: ${text("why")}`;
    case "credentials.rotated":
      return `version ${text("version")} of ${text("name")}`;
    case "incident.opened":
    case "incident.resolved":
      return `${text("key")} ${text("delivery")}`;
  }
}
