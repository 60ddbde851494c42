import { type Operator, trustedIssuers } from "../../domain/claims/operator.ts";
import { ACTED_ON, type JournalEntry } from "../../domain/journal/journal.ts";
import { type IsProved, PROOF, proofIn, statementOf } from "../../domain/journal/journal-proof.ts";
import { allows, type RunMode } from "../../domain/ladder/mode.ts";
import type { JsonObject } from "../../domain/time/json.ts";
import { asRelightError } from "../../errors.ts";
import type { JwtCodec, Signer } from "../../ports/keys.ts";
import type { Log } from "../../ports/log.ts";

interface Proving {
  readonly signer?: () => Promise<Signer>;
  readonly log?: Log;
  /** If nothing may be signed, the key is not read. */
  readonly mode?: RunMode;
}

/**
 * Adds a proof by the operator's key to an entry that later runs act on. Without a usable key the entry has no proof, and
 * no run acts on it. An entry that opens a remedy must have one, because otherwise nobody could finish the remedy.
 * @throws RelightError `secret.*`, `signer.*` for an entry that opens a remedy
 */
export async function withProof({ signer, log, mode }: Proving, entry: JournalEntry): Promise<JournalEntry> {
  const mayNotSign = mode !== undefined && !allows(mode.mode, "renew");
  if (signer === undefined || mayNotSign || !ACTED_ON[entry.kind]) return entry;
  // Sign what will be read back: JSON has no undefined.
  const plain = { ...entry, data: JSON.parse(JSON.stringify(entry.data)) as JsonObject };
  try {
    const { publicKey: by, attest } = await signer();
    const signature = await attest(statementOf(plain));
    return { ...plain, data: { ...plain.data, [PROOF]: { by, signature } } };
  } catch (thrown) {
    if (entry.kind.endsWith(".opened")) throw thrown;
    const { account, kind } = entry;
    log?.warn("a journal entry could not be signed: no later run will act on it", {
      account,
      kind,
      error: asRelightError(thrown).toJSON(),
    });
    return entry;
  }
}

/** The keys that servers trust. */
export interface Trust {
  readonly codec: Pick<JwtCodec, "attests">;
  readonly operator: Operator;
}

/** Recognizes entries that Relight wrote: signed with a key that servers still trust. */
export function provedBy({ codec, operator }: Trust): IsProved {
  const trusted = trustedIssuers(operator);
  return (entry) => {
    const proof = proofIn(entry);
    if (proof === undefined || !trusted.includes(proof.by)) return false;
    return codec.attests(proof.by, statementOf(entry), proof.signature);
  };
}
