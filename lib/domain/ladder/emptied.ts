import type { Observation, StreamFacts } from "../observation/observation.ts";
import { explainDefect } from "../verdict/defects.ts";
import type { Warning } from "../verdict/verdict.ts";
import { serversToRestart } from "./restart.ts";

/**
 * Streams that a server empties when it loads them from disk (nats-server #6753): at its start, and when the account's
 * JetStream is turned on. They are on file, have a `first_seq`, and still have the message with that sequence. In a cluster
 * each replica is emptied by its own server, and the others do not fill it again. Tested: single servers and a rolling
 * restart of 2.10.27 lose everything, 2.12.5 and 2.15.1 nothing.
 */
const ISSUE = "#6753";

type Kept = Pick<StreamFacts, "storage" | "messages" | "firstSeq" | "config">;

export function isEmptiedByLoad({ storage, messages, firstSeq, config }: Kept, version: string): boolean {
  const { first_seq: configured } = config;
  if (storage !== "file" || messages === 0 || typeof configured !== "number" || configured === 0) return false;
  return firstSeq <= configured && explainDefect(version, ISSUE) !== undefined;
}

/** Why the account's JetStream must not be turned off and on; undefined if nothing is lost. */
export function emptiesByToggle(observation: Observation): string | undefined {
  return objection(observation, new Set(observation.servers.map(({ name }) => name)));
}

/** Why the servers that the account needs restarted must not be; undefined if nothing is lost. */
export function emptiesByRestart(observation: Observation): string | undefined {
  return objection(observation, new Set(serversToRestart(observation)));
}

/** Everything works, but a restart would lose messages. */
export function emptiedWarnings(observation: Observation): readonly Warning[] {
  return emptied(observation, new Set(observation.servers.map(({ name }) => name))).map(
    ({ stream, server, defect }) => {
      const message = `a restart of ${server} empties stream ${stream.name}: ${defect}; ${adviceFor(stream)}`;
      return { code: "stream.emptied_by_restart", subject: { server, stream: stream.name }, message };
    },
  );
}

function objection(observation: Observation, loading: ReadonlySet<string>): string | undefined {
  const [first] = emptied(observation, loading);
  return first && `it would empty stream ${first.stream.name}: ${first.defect}; ${adviceFor(first.stream)}`;
}

/** Starting a fixed version is safe, and so is a stream whose first message is gone (see the pull request). */
const adviceFor = ({ name, firstSeq }: StreamFacts): string =>
  `upgrade the server, or remove the stream's first message (\`nats stream rmm ${name} ${firstSeq}\`)`;

function emptied({ streams, servers }: Observation, loading: ReadonlySet<string>) {
  return (streams.ok ? streams.value : []).flatMap((stream) => {
    const holders = new Set([stream.server, ...stream.peers.map(({ name }) => name), ...stream.nodeMissingOn]);
    const [holder] = servers.filter(
      ({ name, version }) => holders.has(name) && loading.has(name) && isEmptiedByLoad(stream, version),
    );
    const defect = holder && explainDefect(holder.version, ISSUE);
    return holder === undefined || defect === undefined ? [] : [{ stream, server: holder.name, defect }];
  });
}
