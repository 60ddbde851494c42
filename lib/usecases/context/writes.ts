import type { Probes } from "../../ports/cluster.ts";
import type { Assets, Restarter } from "../../ports/remedies.ts";
import type { Resolver } from "../../ports/resolver.ts";
import type { RotatingSecret } from "../../ports/secrets.ts";
import type { Needs } from "./mode.ts";

/**
 * The mode that each method of the ports to the cluster and its platform needs; `look` changes nothing. A new method must
 * be added here.
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
  checkup: "look",
  capacity: "look",
};

export const ASSETS_NEED: Needs<Assets> = {
  recreate: "heal",
  stepDown: "heal",
  configure: "heal",
  forbidden: "look",
};

export const RESTARTER_NEEDS: Needs<Restarter> = { restart: "heal" };

/** The system user's credentials give access to the cluster. */
export const ROTATING_SECRET_NEEDS: Needs<RotatingSecret> = {
  describe: "look",
  current: "look",
  pending: "look",
  putPending: "renew",
  promote: "renew",
};
