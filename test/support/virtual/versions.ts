import { satisfies } from "semver";

/**
 * What nats-servers of a version do, as docs/recoveries.md has it. It stands here a second time so that a mistake in the
 * product's own table can't hide in its tests.
 */
const is =
  (range: string) =>
  (version: string): boolean =>
    satisfies(version, range, { includePrerelease: true, loose: true });

/** The end of an account's claims closes JetStream's own connections to it (#6806). */
export const deafens = is("<2.10.28 || >=2.11.0-0 <2.11.2");
/** An update of what lost its Raft node ends the server (#5454, #7229). */
export const panicsAtUpdate = is(">=2.10.16 <2.12.8 || >=2.13.0-0 <2.14.0");
/** An update of what lost its Raft node brings the node back. */
export const touchRevives = is("<2.10.16 || >=2.12.8 <2.13.0-0 || >=2.14.0");
/** A server that lost Raft nodes ends at an election of the meta leader (#5700). */
export const panicsAtElection = is(">=2.10.16 <2.10.23");
/** A start while the account is expired has the cluster forget its consumers of one replica (#3881). */
export const forgetsConsumers = is("<2.9.15");
/** Every replica turns direct gets off and on with `allow_direct`, not only that of a stream of one. */
export const togglesDirectGets = is(">=2.9.12");
/** A work queue's consumers change their replicas with it, such too that say one. */
export const keepsParity = is(">=2.10.0-0");
