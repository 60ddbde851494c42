import type { Call } from "./call.ts";

/** What DynamoDB charges for a call, computed from the request, because moto does not count it. */
export interface Units {
  readonly read: number;
  readonly write: number;
  /** Bytes stored in the table and its indexes. */
  readonly stored: number;
}

type Value = Readonly<Record<string, unknown>>;
type Item = Readonly<Record<string, Value>>;

const READ_UNIT = 4096;
const WRITE_UNIT = 1024;
const NONE: Units = { read: 0, write: 0, stored: 0 };

const bytes = (text: string): number => Buffer.byteLength(text);

/** An item's size as DynamoDB counts it: names and values ("Item sizes and formats" in its developer guide). */
export function sizeOf(item: Item): number {
  return Object.entries(item).reduce((sum, [name, value]) => sum + bytes(name) + valueSize(value), 0);
}

function valueSize(value: Value): number {
  const [[type, content] = ["NULL", true]] = Object.entries(value);
  if (type === "S") return bytes(String(content));
  // Two digits per byte, plus one byte.
  if (type === "N") return Math.ceil(String(content).replace(/[-.]/g, "").length / 2) + 1;
  if (type === "B") return Buffer.from(String(content), "base64").length;
  if (type === "M")
    return (
      3 + Object.values(content as Item).reduce((sum, each) => sum + 1 + valueSize(each), sizeOfNames(content as Item))
    );
  if (type === "L") return 3 + (content as readonly Value[]).reduce((sum, each) => sum + 1 + valueSize(each), 0);
  return 1;
}

const sizeOfNames = (item: Item): number => Object.keys(item).reduce((sum, name) => sum + bytes(name), 0);

/**
 * The units of one call on the journal. Reads are charged by what is read, not by what is returned, so a query of one item
 * with a projection counts as one unit (no item is larger here). Each index is an additional write.
 */
export function unitsOf({
  service,
  operation,
  input,
  responseBytes = 0,
}: Pick<Call, "service" | "operation" | "input" | "responseBytes">): Units {
  if (service !== "dynamodb") return NONE;
  const isConsistent = input["ConsistentRead"] === true;
  if (operation === "PutItem") return written(input["Item"] as Item);
  if (operation === "DeleteItem") return { ...NONE, write: 1 };
  if (operation === "BatchGetItem") return { ...NONE, read: batchUnits(input["RequestItems"]) };
  if (operation === "Query" || operation === "GetItem")
    return { ...NONE, read: Math.max(1, Math.ceil(responseBytes / READ_UNIT)) * (isConsistent ? 1 : 0.5) };
  throw new Error(`unknown DynamoDB charges for ${operation}`);
}

/** Entries have a `job` for job-index, and those that runs read by kind have a `kindKey`. */
function written(item: Item): Units {
  const size = sizeOf(item);
  const copies = 1 + (item["job"] === undefined ? 0 : 1) + (item["kindKey"] === undefined ? 0 : 1);
  const isEntry = !/^(latest|lease)#/.test(String(item["pk"]?.["S"]));
  return { read: 0, write: Math.ceil(size / WRITE_UNIT) * copies, stored: isEntry ? size * copies : 0 };
}

/** Each key is charged separately, even if it does not exist. */
function batchUnits(requests: unknown): number {
  const tables = Object.values(requests as Record<string, { Keys: unknown[]; ConsistentRead?: boolean }>);
  return tables.reduce((sum, { Keys, ConsistentRead }) => sum + Keys.length * (ConsistentRead === true ? 1 : 0.5), 0);
}
