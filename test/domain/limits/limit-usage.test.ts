import { describe, expect, test } from "@jest/globals";
import { type Counted, limitProblems } from "../../../lib/domain/limits/limit-usage.ts";
import { consumer, stream } from "../observations.ts";

const FLAT = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1, max_ack_pending: -1 };
/** Ten messages of 100 bytes, with three replicas. */
const R3 = stream({ name: "THREE", replicas: 3, messages: 10, bytes: 1_000 });
const R1 = stream({ name: "ONE", messages: 10, bytes: 1_000 });
const MEMORY = stream({ name: "MEM", storage: "memory", messages: 1, bytes: 100 });

const short = (limits: object, streams: readonly Counted[]): readonly string[] =>
  limitProblems(limits as never, streams).map(({ kind, claim, tier, used, limit, options }) =>
    [kind, tier, claim, used, limit, options].filter((part) => part !== undefined).join(" "),
  );

describe("use and limits", () => {
  test.each<[string, object, readonly Counted[], readonly string[]]>([
    ["nothing is limited", FLAT, [R3, R1, MEMORY], []],
    ["there is room", { ...FLAT, disk_storage: 10_000 }, [R3], []],
    [
      "nine tenths of flat limits, which count every replica",
      { ...FLAT, disk_storage: 3_333 },
      [R3],
      ["near disk_storage 3000 3333 --storage 1MiB"],
    ],
    [
      "no room for another message of the usual size",
      { ...FLAT, disk_storage: 3_200 },
      [R3],
      ["full disk_storage 3000 3200 --storage 1MiB"],
    ],
    ["more than is allowed", { ...FLAT, disk_storage: 2_000 }, [R3], ["over disk_storage 3000 2000 --storage 1MiB"]],
    ["no memory at all", { ...FLAT, mem_storage: 0 }, [MEMORY, R1], ["over mem_storage 100 0 --memory 1MiB"]],
    ["as many streams as may be", { ...FLAT, streams: 2 }, [R1, R3], ["full streams 2 2 --streams 4"]],
    ["a count of zero is no limit", { ...FLAT, streams: 0, consumer: 0, max_ack_pending: 0 }, [R1], []],
    [
      "consumers are counted by stream",
      { ...FLAT, consumer: 1 },
      [{ ...R1, consumers: [consumer(), consumer()] }, R3],
      ["over consumer 2 1 --consumers 4"],
    ],
    [
      "a consumer may have more open than is allowed",
      { ...FLAT, max_ack_pending: 10 },
      [{ ...R1, consumers: [consumer({ config: { max_ack_pending: 20 } })] }],
      ["over max_ack_pending 20 10 --max-ack-pending 40"],
    ],
    [
      "max_bytes is required, and a stream has none",
      { ...FLAT, max_bytes_required: true },
      [R1],
      ["over max_bytes_required 1 0 --no-max-bytes-required"],
    ],
    [
      "tiers count one replica",
      { tiered_limits: { R3: { ...FLAT, disk_storage: 1_050 } } },
      [R3],
      ["full R3 disk_storage 1000 1050 --storage 1MiB --tier R3"],
    ],
    [
      "a tier that is not there",
      { tiered_limits: { R3: FLAT } },
      [R3, R1],
      ["no-tier R1 tiered_limits 1 0 --tier R1 --storage 1024MiB"],
    ],
    ["a tier without streams", { tiered_limits: { R3: FLAT, R1: { ...FLAT, streams: 1 } } }, [R3], []],
  ])("%s", (_, limits, streams, expected) => {
    expect(short(limits, streams)).toEqual(expected);
  });
});
