import { ACCOUNT_KINDS } from "./explain-accounts.ts";
import { JETSTREAM_KINDS } from "./explain-jetstream.ts";
import type { LogKind } from "./explain-kind.ts";
import { LEAF_KINDS } from "./explain-leafnodes.ts";

/** All kinds of explained log lines. The first one that matches a line is its kind. */
export const LOG_KINDS: readonly LogKind[] = [...LEAF_KINDS, ...ACCOUNT_KINDS, ...JETSTREAM_KINDS];
