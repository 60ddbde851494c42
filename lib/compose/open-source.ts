import { claimsSource } from "../adapters/source/claims-source.ts";
import { jwtFolder } from "../adapters/source/jwt-folder.ts";
import { nscStore } from "../adapters/source/nsc-store.ts";
import type { Config } from "../config/config.ts";
import type { Operator } from "../domain/claims/operator.ts";
import { resolvePath } from "../files/paths.ts";
import type { JwtCodec } from "../ports/keys.ts";
import type { SourceEntry } from "../ports/source.ts";
import type { Context } from "../usecases/context/context.ts";

/** The configured source of truth, if any; read at first use. */
export function openSource(
  { source, baseDir }: Pick<Config, "source" | "baseDir">,
  operator: Operator,
  codec: JwtCodec,
): Pick<Context, "source"> {
  if (source === undefined) return {};
  const { from: name, onDifference } = source;
  const entries = (): AsyncIterable<SourceEntry> => entriesOf(name, baseDir, operator, codec);
  return { source: { claims: claimsSource({ name, entries, operator }), onDifference } };
}

function entriesOf(name: string, baseDir: string, operator: Operator, codec: JwtCodec): AsyncIterable<SourceEntry> {
  const [, kind, place = ""] = /^([\w-]+):(.+)$/.exec(name) ?? [];
  if (kind === "folder") return jwtFolder(resolvePath(baseDir, place), codec);
  if (kind === "nsc") return nscStore({ folder: resolvePath(baseDir, place), codec, operatorName: operator.name });
  return inSecretsManager(place.slice("//".length), codec);
}

/** Imports the AWS SDK only if it is needed. */
async function* inSecretsManager(prefix: string, codec: JwtCodec): AsyncIterable<SourceEntry> {
  const { secretsManagerClient } = await import("../adapters/aws/secrets/secrets-manager.ts");
  const { secretsManagerClaims } = await import("../adapters/aws/secrets/secrets-manager-claims.ts");
  yield* secretsManagerClaims({ client: secretsManagerClient(), prefix, codec });
}
