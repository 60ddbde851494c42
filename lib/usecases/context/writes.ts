import type { Probes } from "../../ports/cluster.ts";
import type { Assets, Restarter } from "../../ports/remedies.ts";
import type { Resolver } from "../../ports/resolver.ts";
import type { RotatingSecret } from "../../ports/secrets.ts";
import type { Needs } from "./mode.ts";

/**
 * Every method of the ports that reach the cluster or what it lives on, by what it needs: `look` changes nothing.
 * Whoever adds a method says here what it is.
 */
export const RESOLVER_NEEDS: Needs<Resolver> = {
  list: "look",
  lookup: "look",
  running: "look",
  push: "renew",
};

export const PROBES_NEED: Needs<Probes> = {
  servers: "look",
  meta: "look",
  health: "look",
  observe: "look",
  accounts: "look",
  hosted: "look",
  deletions: "look",
  trust: "look",
  capacity: "look",
};

export const ASSETS_NEED: Needs<Assets> = {
  recreate: "heal",
  stepDown: "heal",
  configure: "heal",
  forbidden: "look",
};

export const RESTARTER_NEEDS: Needs<Restarter> = { restart: "heal" };

/** The system user's credentials are a way into the cluster. */
export const ROTATING_SECRET_NEEDS: Needs<RotatingSecret> = {
  describe: "look",
  current: "look",
  pending: "look",
  putPending: "renew",
  promote: "renew",
};
