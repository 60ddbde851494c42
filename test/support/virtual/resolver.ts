import { jwtCodec } from "../../../lib/adapters/nats/jwt/jwt-codec.ts";
import type { AccountId } from "../../../lib/domain/claims/account.ts";
import type { RunningAccount } from "../../../lib/domain/observation/observation.ts";
import { defined } from "../../../lib/domain/time/defined.ts";
import type { JsonObject } from "../../../lib/domain/time/json.ts";
import { epochMillis } from "../../../lib/domain/time/time.ts";
import { RelightError } from "../../../lib/errors.ts";
import type { DecodedJwt } from "../../../lib/ports/keys.ts";
import type { PushReply, Resolver } from "../../../lib/ports/resolver.ts";
import type { Link } from "./link.ts";
import type { Machines, VirtualServer } from "./machines.ts";

/** What servers decode of a JWT, once per JWT. */
const decodedOf = new WeakMap<DecodedJwt, JsonObject>();
function decode(jwt: DecodedJwt): JsonObject {
  const decoded = decodedOf.get(jwt) ?? (JSON.parse(jwt.document.text) as JsonObject);
  decodedOf.set(jwt, decoded);
  return decoded;
}

/** The account as one server has it now. */
export function runningOn(machines: Machines, server: VirtualServer, account: AccountId): RunningAccount {
  const loaded = server.accounts.get(account);
  if (loaded === undefined) return { server: server.name, loaded: false };
  const { document, signatureValid } = loaded.jwt;
  const decoded = machines.faults.push.misread.get(server.name) ?? decode(loaded.jwt);
  return {
    server: server.name,
    loaded: true,
    expired: machines.isExpired(server, loaded),
    jetstream: loaded.jetstream,
    document,
    signatureValid,
    ...defined({ decoded }),
    appliedAt: epochMillis(loaded.appliedAt),
    connections: { clients: 0, leafnodes: 0 },
  };
}

/** The resolver of a virtual cluster. Like a real one it accepts any JWT, and its answers prove nothing. */
export function virtualResolver(machines: Machines, link: Link): Resolver {
  const { faults, timeline } = machines;
  const assertResolver = (): void => {
    if (faults.resolver !== "full") throw new RelightError("nats.no_resolver", "no server has a full resolver");
  };

  async function push(token: string): Promise<readonly PushReply[]> {
    await link.ask();
    const jwt = jwtCodec.decode(token);
    machines.notePush(jwt);
    const replies = link.known.flatMap((server) => reply(server, jwt));
    const silent = link.known.filter(({ name }) => replies.every(({ server }) => server !== name));
    if (silent.length > 0) {
      await link.wait(5_000);
      const names = silent.map(({ name }) => name);
      const message = `${replies.length} of ${link.known.length} servers answered $SYS.REQ.CLAIMS.UPDATE; silent: ${names.join(", ")}`;
      throw new RelightError("nats.timeout", message, { details: { silent: names } });
    }
    const rejected = replies.filter(({ accepted }) => !accepted);
    if (rejected.length === 0) return replies;
    const reasons = rejected.map(({ server, message }) => `${server}: ${message}`).join("; ");
    throw new RelightError("push.rejected", `servers rejected the JWT: ${reasons}`);
  }

  function reply(server: VirtualServer, jwt: DecodedJwt): PushReply[] {
    const { name } = server;
    const { misses, unheard, refused, takes } = faults.push;
    if (!link.isAlive(server)) return [];
    const why = refused.get(name);
    if (why !== undefined) return [{ server: name, accepted: false, message: why }];
    // Others than a full resolver take only what is loaded, and what they keep of it can't be asked.
    const isSkipped = faults.resolver !== "full" && !server.accounts.has(jwt.document.claims.sub);
    if (isSkipped) return [{ server: name, accepted: true, message: "jwt update skipped" }];
    if (!misses.has(name)) {
      if (faults.resolver === "full") machines.store(jwt);
      timeline.after(takes.get(name) ?? 0, () => {
        if (server.isUp) machines.load(server, jwt);
      });
      timeline.settle();
    }
    return unheard.has(name) ? [] : [{ server: name, accepted: true, message: "jwt updated" }];
  }

  return {
    list: async function* () {
      await link.ask();
      assertResolver();
      for (const account of machines.storedAccounts()) {
        const jwt = machines.stored(account);
        if (jwt !== undefined) yield { ok: true, jwt };
      }
    },
    lookup: async (account) => {
      await link.ask();
      assertResolver();
      return machines.stored(account);
    },
    running: async (account) => {
      await link.askEach(link.known, `$SYS.REQ.ACCOUNT.${account}.INFO`);
      return link.known.map((server) => runningOn(machines, server, account));
    },
    push,
  };
}
