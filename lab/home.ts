import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

export interface HomeFiles {
  readonly operatorJwt: string;
  readonly operatorSeed: string;
  readonly accountSeed: string;
  readonly systemCredentials: string;
  readonly appCredentials: string;
  readonly urls: readonly string[];
  readonly accountId: string;
  /** Additional lines of relight.yaml. */
  readonly yaml: string;
}

/** Writes a user's folder: keys, credentials and relight.yaml. */
export async function writeHome(folder: string, files: HomeFiles): Promise<void> {
  await mkdir(folder, { recursive: true });
  const write = (name: string, text: string): Promise<void> => writeFile(join(folder, name), text, { mode: 0o600 });
  await write("operator.jwt", files.operatorJwt);
  await write("operator.nk", files.operatorSeed);
  await write("app.nk", files.accountSeed);
  await write("sys.creds", files.systemCredentials);
  await write("app.creds", files.appCredentials);
  await write(
    "relight.yaml",
    `cluster:
  servers: ${JSON.stringify(files.urls)}
  systemCredentials: file:sys.creds
operator:
  jwt: file:operator.jwt
  signingKey: file:operator.nk
policy:
  lifetime: 90d
  renewBefore: 30d
accounts:
  - id: ${files.accountId}
    name: APP
    signingKey: file:app.nk
${files.yaml}`,
  );
}
