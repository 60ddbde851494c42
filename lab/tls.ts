import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

/** Certificates created with openssl and signed by a private CA. */

const run = promisify(execFile);
const HOUR = 3_600_000;

/** A certificate and its key, as files. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

export interface Issue {
  readonly name: string;
  /** Its names, such as `DNS:localhost` or `IP:127.0.0.1`. */
  readonly for?: readonly string[];
  /** Its validity in milliseconds from now; by default two days. */
  readonly valid?: readonly [from: number, to: number];
}

export interface Authority {
  /** The file with the CA's certificate. */
  readonly ca: string;
  issue(order: Issue): Promise<Pair>;
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
const CONFIG = `[ca]
default_ca = own
[own]
database = index.txt
new_certs_dir = .
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
`;

/** A time in openssl's format: 20261129083600Z. */
const stamp = (ahead: number): string =>
  `${new Date(Date.now() + ahead).toISOString().slice(0, 19).replace(/\D/g, "")}Z`;

export async function createAuthority(parent: string, name = "lab-ca"): Promise<Authority> {
  const folder = join(parent, name);
  await mkdir(folder, { recursive: true });
  const openssl = (...args: string[]): Promise<unknown> => run("openssl", args, { cwd: folder });
  await writeFile(join(folder, "ca.cnf"), CONFIG);
  await writeFile(join(folder, "index.txt"), "");
  await openssl(
    ...["req", "-x509", ...NEW_KEY, "-days", "2", "-subj", `/CN=${name}`],
    ...["-keyout", "ca.key", "-out", "ca.pem"],
  );
  let issued = 0;
  return {
    ca: join(folder, "ca.pem"),
    issue: async ({ name: subject, for: names = [], valid: [from, to] = [-HOUR, 48 * HOUR] }) => {
      const file = `${++issued}-${subject}`;
      const extension = names.length === 0 ? [] : ["-addext", `subjectAltName=${names.join(",")}`];
      await openssl(
        ...["req", "-new", ...NEW_KEY, "-subj", `/CN=${subject}`, ...extension],
        ...["-keyout", `${file}.key`, "-out", `${file}.csr`],
      );
      await openssl(
        ...["ca", "-batch", "-notext", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key"],
        ...["-in", `${file}.csr`, "-out", `${file}.pem`, "-startdate", stamp(from), "-enddate", stamp(to)],
      );
      return { cert: join(folder, `${file}.pem`), key: join(folder, `${file}.key`) };
    },
  };
}

/** The `tls` block of a nats-server configuration. */
export const tlsBlock = ({ cert, key }: Pair, more = ""): string =>
  `tls { cert_file: "${cert}", key_file: "${key}"\n ${more} }`;

export const readPair = async ({ cert, key }: Pair): Promise<Pair> => ({
  cert: await readFile(cert, "utf8"),
  key: await readFile(key, "utf8"),
});
