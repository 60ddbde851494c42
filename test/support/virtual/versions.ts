import { satisfies } from "semver";

/**
 * What nats-servers of a version do, according to docs/recoveries.md. Duplicated on purpose, so a mistake in the
 * product's own table can't hide in its tests.
 */
const is =
  (range: string) =>
  (version: string): boolean =>
    satisfies(version, range, { includePrerelease: true, loose: true });

/** The expiry of an account's claims closes JetStream's own connections to it (#6806). */
export const deafens = is("<2.10.28 || >=2.11.0-0 <2.11.2");
/** An update of an asset without its Raft node crashes the server (#5454, #7229). */
export const panicsAtUpdate = is(">=2.10.16 <2.12.8 || >=2.13.0-0 <2.14.0");
/** An update of an asset without its Raft node restores the node. */
export const touchRevives = is("<2.10.16 || >=2.12.8 <2.13.0-0 || >=2.14.0");
/** A server that lost Raft nodes crashes at an election of the meta leader (#5700). */
export const panicsAtElection = is(">=2.10.16 <2.10.23");
/** A start while the account is expired makes the cluster forget its single-replica consumers (#3881). */
export const forgetsConsumers = is("<2.9.15");
/** Every replica turns direct gets off and on with `allow_direct`, not only that of a single-replica stream. */
export const togglesDirectGets = is(">=2.9.12");
/** A work queue's consumers change their replicas with it, even those with a configured number. */
export const keepsParity = is(">=2.10.0-0");
