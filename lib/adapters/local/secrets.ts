import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { RelightError } from "../../errors.ts";
import type { Secrets } from "../../ports/secrets.ts";

const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Secrets in files: `file:PATH`, where a relative path starts from `baseDir`. */
export function fileSecrets(baseDir: string): Secrets {
  return {
    read: async (reference) => {
      const path = reference.slice("file:".length);
      if (path === "" || path.includes("\0")) throw new RelightError("secret.invalid_reference", "file: needs a path");
      const text = await readFile(resolve(baseDir, path), "utf8").catch((cause: NodeJS.ErrnoException) => {
        throw fileError(reference, cause);
      });
      // Editors add a newline at the end of a file; it is not part of the secret.
      return text.replace(/[\r\n]+$/, "");
    },
  };
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

function fileError(reference: string, cause: NodeJS.ErrnoException): RelightError {
  const options = { cause, details: { reference } };
  if (cause.code === "ENOENT" || cause.code === "ENOTDIR")
    return new RelightError("secret.not_found", `${reference} does not exist`, options);
  if (cause.code === "EISDIR")
    return new RelightError("secret.invalid_reference", `${reference} is a folder, not a file`, options);
  return new RelightError("secret.unavailable", `${reference} can't be read: ${cause.code}`, options);
}
