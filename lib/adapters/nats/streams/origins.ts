import type { OriginFacts, Probe } from "../../../domain/observation/observation.ts";
import { millis } from "../../../domain/time/time.ts";
import type { OriginConfig, OriginDetail, StreamDetail } from "../connection/answers.ts";

const NANOS_PER_MILLI = 1_000_000;
/** `external.api` of a JetStream domain. */
const DOMAIN_API = /^\$JS\.([^.*>\s]+)\.API$/;

/**
 * A stream's origins according to its leader. Only the leader knows their state.
 * @param byLeader whether the leader reported the stream.
 */
export function reportedOrigins(detail: StreamDetail, byLeader: boolean): Probe<readonly OriginFacts[]> {
  const { mirror, sources } = detail.config;
  const configured = [...(mirror ? [mirror] : []), ...(sources ?? [])];
  if (configured.length === 0) return { ok: true, value: [] };
  if (!byLeader) return { ok: false, code: "nats.timeout", message: "its leader does not answer" };
  const reported = [...(detail.mirror ? [detail.mirror] : []), ...(detail.sources ?? [])];
  return { ok: true, value: configured.map((config) => originFacts(config, reported, detail)) };
}

function originFacts(
  config: OriginConfig,
  reported: readonly OriginDetail[],
  { config: { mirror }, state }: StreamDetail,
): OriginFacts {
  const found = reported.find((origin) => isSame(origin, config)) ?? reported.find(({ name }) => name === config.name);
  const { lag = 0, active = -1, seq, error } = found ?? {};
  const taken = config === mirror ? state.last_seq : seq;
  return {
    stream: config.name,
    lag,
    ...placeOf(config),
    later: [],
    ...(isWhole(config) && taken !== undefined ? { taken } : {}),
    ...(active < 0 ? {} : { activeAgo: millis(Math.round(active / NANOS_PER_MILLI)) }),
    ...(error ? { error: error.description } : {}),
  };
}

/** A stream may be a source several times with different filters; before 2.10 the filter is not reported. */
function isSame(reported: OriginDetail, { name, external, filter_subject: filter }: OriginConfig): boolean {
  return (
    reported.name === name &&
    (reported.external?.api ?? "") === (external?.api ?? "") &&
    (reported.filter_subject ?? "") === (filter ?? "")
  );
}

function placeOf({ external }: OriginConfig): Pick<OriginFacts, "domain" | "api"> {
  const api = external?.api;
  if (!api) return {};
  const domain = DOMAIN_API.exec(api)?.[1];
  return domain === undefined ? { api } : { domain };
}

/** Whether it copies every message, which makes sequences comparable. */
function isWhole({ filter_subject: filter, subject_transforms: transforms }: OriginConfig): boolean {
  return !filter && !transforms?.length;
}
