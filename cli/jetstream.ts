import { type Command, InvalidArgumentError, Option } from "commander";
import type { App } from "../lib/compose/compose.ts";
import { parseCount, parseSize } from "../lib/domain/time/sizes.ts";
import type { LimitOrder } from "../lib/usecases/orders/plan-limits.ts";
import type { JetStreamOptions } from "./change-jetstream.ts";
import type { CommandResult, Console } from "./session.ts";

type Action = LimitOrder["action"];

/** Adds the command with both of its own; `run` runs one to its end. */
export function addJetStreamCommand(
  program: Command,
  run: (doing: string, command: (app: App, console: Console) => Promise<CommandResult>) => Promise<void>,
): void {
  const group = program.command("jetstream").description("give an account JetStream, or change its limits");
  const add = (action: Action, description: string): void => {
    withLimits(group.command(`${action} <account>`).description(description)).action(
      (account: string, options: JetStreamOptions) =>
        run("looking", async (app, console) => {
          const { changeJetStream } = await import("./change-jetstream.ts");
          return changeJetStream(app, console, action, account, options);
        }),
    );
  };
  add("enable", "give an account JetStream, and prove that it works on every server");
  add("limits", "change an account's JetStream limits, and nothing else in its claims");
}

function withLimits(command: Command): Command {
  const limit = (flags: string, text: string, parse: (value: string) => number): Option =>
    new Option(flags, text).argParser(parse);
  return command
    .addOption(limit("--memory <size>", "how much memory: 512MiB, 1GB, 0 or unlimited", readSize))
    .addOption(limit("--storage <size>", "how much disk space", readSize))
    .addOption(limit("--streams <count>", "how many streams", readCount))
    .addOption(limit("--consumers <count>", "how many consumers per stream", readCount))
    .addOption(limit("--max-ack-pending <count>", "how many unacknowledged messages per consumer", readCount))
    .addOption(limit("--memory-max-stream-bytes <size>", "how large one stream in memory may be", readSize))
    .addOption(limit("--storage-max-stream-bytes <size>", "how large one stream on disk may be", readSize))
    .option("--max-bytes-required", "every stream must set max_bytes")
    .option("--no-max-bytes-required", "streams need not set max_bytes")
    .option("--tier <tier>", "change the limits of one tier: of streams with this many replicas (R1, R3)")
    .addOption(
      new Option(
        "--to-tiers <tiers>",
        "replace the flat limits with tiers (R1,R3); each gets the limits given here",
      ).argParser((value: string) => value.split(",").map((tier) => tier.trim())),
    )
    .option(
      "--restart-follows",
      "with --to-tiers: even if Relight can't move the streams; you then restart all servers",
      false,
    )
    .option("--dry-run", "only show the change and what speaks against it", false)
    .option("--force", "allow limits below current use or above the cluster's capacity", false)
    .option("--yes", "don't ask", false);
}

function readSize(text: string): number {
  const size = parseSize(text);
  if (size === undefined)
    throw new InvalidArgumentError("write bytes with a unit (512MiB, 1GB), 0 for none, or unlimited");
  return size;
}

function readCount(text: string): number {
  const count = parseCount(text);
  if (count === undefined) throw new InvalidArgumentError("write a whole number, or unlimited");
  return count;
}
