import { RelightError } from "../../errors.ts";
import { resolvePath } from "../../files/paths.ts";
import { isReadableByAll, readText, type UnreadableFile } from "../../files/read-text.ts";
import type { Secrets } from "../../ports/secrets.ts";

const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** More than any secret has; bytes. */
const LARGEST = 1_048_576;
/** A seed or a private key; a JWT or a certificate alone is not secret. */
const IS_KEY = /S[OAUNCX][A-Z2-7]{56}|PRIVATE KEY/;

/**
 * Secrets in files: `file:PATH`, where a relative path starts from `baseDir`.
 * @param onExposed hears of each key that every user of this machine can read
 */
export function fileSecrets(baseDir: string, onExposed: (path: string) => void = () => undefined): Secrets {
  return {
    read: async (reference) => {
      const written = reference.slice("file:".length);
      if (written === "" || written.includes("\0"))
        throw new RelightError("secret.invalid_reference", "file: needs a path");
      const path = resolvePath(baseDir, written);
      const text = readSecret(reference, path);
      if (IS_KEY.test(text) && isReadableByAll(path)) onExposed(path);
      // Editors add a newline at the end of a file; it is not part of the secret.
      return text.replace(/[\r\n]+$/, "");
    },
  };
}

function readSecret(reference: string, path: string): string {
  try {
    return readText(path, LARGEST);
  } catch (cause) {
    throw fileError(reference, cause as UnreadableFile);
  }
}

/** Secrets in the environment: `env:NAME`. `env` is usually `process.env`. */
export function envSecrets(env: Readonly<Record<string, string | undefined>>): Secrets {
  return {
    read: async (reference) => {
      const name = reference.slice("env:".length);
      if (!ENV_NAME.test(name)) throw new RelightError("secret.invalid_reference", "env: needs the name of a variable");
      const value = Object.hasOwn(env, name) ? env[name] : undefined;
      if (value === undefined) throw new RelightError("secret.not_found", `${reference} is not set`);
      return value;
    },
  };
}

function fileError(reference: string, cause: UnreadableFile): RelightError {
  const codes = { missing: "secret.not_found", failed: "secret.unavailable" } as const;
  const code = cause.why === "missing" || cause.why === "failed" ? codes[cause.why] : "secret.invalid_reference";
  return new RelightError(code, `${reference} ${cause.message}`, { cause, details: { reference } });
}
