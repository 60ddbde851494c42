import { describe, expect, test } from "@jest/globals";
import { exceededLimits, limitObjection } from "../../../lib/domain/limits/fit.ts";
import { exceeds } from "../../../lib/domain/limits/room.ts";
import type { Observation, StreamFacts } from "../../../lib/domain/observation/observation.ts";
import { claims, consumer, FAILED, observation, stream } from "../observations.ts";

/** Under lowered limits a server does not recreate what exceeds them, which must be known before. */

const UNLIMITED = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1, max_ack_pending: -1 };
const MIB = 2 ** 20;
const two = [consumer({ config: { max_ack_pending: 1_000 } }), consumer({ name: "other", config: {} })];
const sized = (maxBytes: number): StreamFacts => stream({ config: { name: "ORDERS", max_bytes: maxBytes } });

function under(limits: Record<string, unknown>, streams: readonly StreamFacts[]): Observation {
  const document = claims({}, { ...UNLIMITED, ...limits });
  return observation({
    streams: { ok: true, value: streams },
    running: {
      ok: true,
      value: [{ server: "s1", loaded: true, expired: false, signatureValid: true, jetstream: true, document }],
    },
  });
}

describe("what exists exceeds a limit: refused, with the limit, the use and the command", () => {
  test.each<[string, Record<string, unknown>, readonly StreamFacts[], RegExp]>([
    [
      "consumers of a stream",
      { consumer: 1 },
      [stream({ consumers: two })],
      /number of consumers of one stream is 2 \(limit: 1\); raise it \(`relight jetstream limits APP --consumers \d+ --yes`\)/,
    ],
    ["streams", { streams: 1 }, [stream(), stream({ name: "B" })], /streams is 2 \(limit: 1\); .* --streams /],
    [
      "what a consumer may have open",
      { max_ack_pending: 5 },
      [stream({ consumers: two })],
      /max_ack_pending 1000 .* --max-ack-pending /,
    ],
    ["bytes held", { disk_storage: 399 }, [stream()], /disk_storage: .* 400 B.* --storage /],
    [
      "bytes reserved",
      { disk_storage: 3 * MIB },
      [sized(2 * MIB), sized(2 * MIB)],
      /reserve 4 MiB, but the limit is 3 MiB; .* --storage 4MiB /,
    ],
    ["the size of a stream", { disk_max_stream_bytes: MIB }, [sized(2 * MIB)], /--storage-max-stream-bytes /],
    ["a size that each must have", { max_bytes_required: true }, [stream()], /--no-max-bytes-required /],
    ["memory", { mem_storage: 1 }, [stream({ storage: "memory" })], /mem_storage: .* --memory /],
    [
      "an empty stream where nothing may be stored",
      { mem_storage: 0 },
      [stream({ storage: "memory", bytes: 0, messages: 0 })],
      /streams in memory is 1, but the limit is 0; .* --memory 1MiB /,
    ],
    [
      "a tier",
      { mem_storage: 0, disk_storage: 0, tiered_limits: { R3: UNLIMITED } },
      [stream()],
      /no tier R1.* --tier R1 --storage /,
    ],
  ])("%s", (_what, limits, streams, reason) => {
    expect(limitObjection(under(limits, streams))).toMatch(reason);
    expect(limitObjection(under({}, streams))).toBeUndefined();
  });

  test("several at once: one command per place", () => {
    const found = limitObjection(under({ consumer: 1, streams: 1 }, [stream({ consumers: two }), stream()]));
    expect(found?.match(/`relight jetstream limits APP [^`]*`/g)).toHaveLength(1);
    expect(found).toMatch(/--streams \d+ --consumers \d+ --yes/);
  });

  test("bytes in use and reserved bytes are not added up", () => {
    expect(exceededLimits(claims({}, { ...UNLIMITED, disk_storage: MIB }).claims, [sized(MIB), stream()])).toEqual([]);
  });

  test("an id if the name would need quoting", () => {
    const { running } = under({ consumer: 1 }, []);
    const document = claims({ name: "a b" }, { ...UNLIMITED, consumer: 1 });
    const named = running.ok ? running.value.map((entry) => ({ ...entry, document })) : [];
    const seen = under({}, [stream({ consumers: two })]);
    expect(limitObjection({ ...seen, running: { ok: true, value: named as never } })).toMatch(/limits AB{55} /);
  });
});

describe("objects to unknown", () => {
  test("the streams", () => {
    expect(limitObjection(observation({ streams: FAILED }))).toMatch(/could not be read/);
  });
  test("the limits", () => {
    expect(limitObjection(observation({ running: FAILED }))).toMatch(/no server reports the limits/);
  });
});

test("a temporarily scaled stream counts three times, in tier R3", () => {
  const during = { name: "ORDERS", num_replicas: 3 };
  const change = { stream: "ORDERS", during, consumers: [] };
  expect(exceeds(under({ disk_storage: 1_199 }, [stream()]), [change])).toMatch(/1\.2 KB|1200 B/);
  expect(exceeds(under({ disk_storage: 1_200 }, [stream()]), [change])).toBeUndefined();
  const flat = { mem_storage: 0, disk_storage: 0 };
  const tiers = { ...flat, tiered_limits: { R1: UNLIMITED } };
  expect(exceeds(under(tiers, [stream()]), [change])).toMatch(/no tier R3/);
  expect(exceeds(under(tiers, [stream()]), [])).toBeUndefined();
});
