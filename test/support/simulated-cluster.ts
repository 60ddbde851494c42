import type { AccountId } from "../../lib/domain/claims/account.ts";
import type { Observation, RunningAccount, ServerFacts } from "../../lib/domain/observation/observation.ts";
import { type EpochMillis, epochMillis, type Millis, millis, toMillis } from "../../lib/domain/time/time.ts";
import { RelightError } from "../../lib/errors.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import type { Probes } from "../../lib/ports/cluster.ts";
import type { DecodedJwt, JwtCodec } from "../../lib/ports/keys.ts";
import type { Resolver } from "../../lib/ports/resolver.ts";

/** A full resolver deletes an expired account's JWT within a minute (shared facts; tried on every version). */
const FORGETS_AFTER = millis(60_000);

export interface SimulatedServer {
  readonly name: string;
  /** How far its clock is ahead of the simulation's. */
  skew: Millis;
}

export interface SimulatedCluster extends Pick<Probes, "observe" | "servers" | "accounts"> {
  readonly resolver: Resolver;
  /** Puts a JWT in force as somebody else's push would. */
  force(token: string): void;
  /** As `CLAIMS.DELETE`: the resolver holds it no more, and every server refuses its clients. */
  delete(account: AccountId): void;
  /** As a restart of every server: what the resolver does not hold is loaded nowhere. */
  restart(): void;
  /** While set, nothing answers. */
  down: boolean;
  /** Whether the servers say that the accounts have JetStream; they have none here. */
  jetstream: boolean;
  /** Every push that was made through the resolver, with its time. */
  readonly pushes: readonly { readonly at: EpochMillis; readonly jwt: DecodedJwt }[];
}

const NOTHING = { ok: true, value: [] } as const;

/**
 * A cluster with a full resolver, as far as claims go: it takes any JWT, answers as servers do, deletes what has
 * expired, and each server goes by its own clock. It has no streams. test/contracts/resolver.test.ts holds it
 * to what a real server does.
 */
export function simulatedCluster(
  clock: Clock,
  codec: JwtCodec,
  servers: readonly SimulatedServer[],
): SimulatedCluster {
  const held = new Map<AccountId, DecodedJwt>();
  const loaded = new Map<AccountId, DecodedJwt>();
  const refused = new Set<AccountId>();
  const pushes: { at: EpochMillis; jwt: DecodedJwt }[] = [];

  const answering = (): void => {
    if (cluster.down) throw new RelightError("nats.timeout", "no server answers");
  };
  const force = (token: string): void => {
    const jwt = codec.decode(token);
    held.set(jwt.document.claims.sub, jwt);
    refused.delete(jwt.document.claims.sub);
    loaded.set(jwt.document.claims.sub, jwt);
  };
  const isForgotten = ({ document: { claims } }: DecodedJwt): boolean =>
    claims.exp !== undefined && toMillis(claims.exp) + FORGETS_AFTER <= clock.now();
  const stored = (account: AccountId): DecodedJwt | undefined => {
    const jwt = held.get(account);
    if (jwt === undefined || !isForgotten(jwt)) return jwt;
    held.delete(account);
    return undefined;
  };
  const running = (account: AccountId): readonly RunningAccount[] => {
    const jwt = loaded.get(account);
    return servers.map(({ name, skew }) => {
      if (jwt === undefined) return { server: name, loaded: false };
      const { exp } = jwt.document.claims;
      const expired = refused.has(account) || (exp !== undefined && toMillis(exp) <= clock.now() + skew);
      const { document, signatureValid } = jwt;
      return { server: name, loaded: true, expired, jetstream: cluster.jetstream, document, signatureValid };
    });
  };
  const facts = (): readonly ServerFacts[] =>
    servers.map(({ name, skew }) => ({
      id: name,
      name,
      version: "2.15.1",
      jetstream: true,
      topology: "clustered",
      tags: [],
      clockSkew: skew,
    }));

  const cluster: SimulatedCluster = {
    down: false,
    jetstream: false,
    pushes,
    force,
    delete: (account) => {
      held.delete(account);
      refused.add(account);
    },
    restart: () => {
      refused.clear();
      for (const account of [...loaded.keys()]) if (stored(account) === undefined) loaded.delete(account);
    },
    servers: async () => facts(),
    accounts: async () => {
      answering();
      return { ok: true, value: [...loaded.keys()] };
    },
    resolver: {
      list: async function* () {
        answering();
        for (const account of [...held.keys()]) {
          const jwt = stored(account);
          if (jwt !== undefined) yield { ok: true, jwt };
        }
      },
      lookup: async (account) => {
        answering();
        return stored(account);
      },
      running: async (account) => {
        answering();
        return running(account);
      },
      push: async (token) => {
        answering();
        pushes.push({ at: clock.now(), jwt: codec.decode(token) });
        force(token);
        return servers.map(({ name }) => ({ server: name, accepted: true, message: "jwt updated" }));
      },
    },
    observe: async (account): Promise<Observation> => {
      answering();
      const jwt = stored(account);
      return {
        account,
        at: epochMillis(clock.now()),
        servers: facts(),
        stored: { ok: true, value: jwt },
        running: { ok: true, value: running(account) },
        streams: NOTHING,
        elsewhere: NOTHING,
        leafnodes: NOTHING,
        meta: { ok: true, value: undefined },
        accountView: { ok: "not-asked", why: "there is nothing to see" },
      };
    },
  };
  return cluster;
}
