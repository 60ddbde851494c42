import type { AskedOrigin, DomainView, Observation, OriginFacts, ServerFacts, StreamFacts } from "./observation.ts";

/** A request to another JetStream domain: whether it answers, and the state of copied streams. */
export interface DomainQuestion {
  readonly domain: string;
  readonly origins: readonly string[];
}

type Streams = Pick<Observation, "streams" | "elsewhere">;

/** The domain of `$JS.API` for a client of this server: the server's own, or its cluster's. */
export function homeDomain(servers: readonly ServerFacts[], connectedTo: string): string | undefined {
  const hosts = servers.filter(({ jetstream }) => jetstream);
  const connected = servers.find(({ id }) => id === connectedTo);
  if (connected?.jetstream) return connected.domain;
  const sibling = hosts.find(({ cluster }) => cluster !== undefined && cluster === connected?.cluster);
  return (sibling ?? hosts[0])?.domain;
}

/** All observed streams of all domains. */
export function allStreams({ streams, elsewhere }: Streams): readonly StreamFacts[] {
  return [...(streams.ok ? streams.value : []), ...(elsewhere.ok ? elsewhere.value : [])];
}

/** The other domains that are expected or copied from, with the copied streams that were not observed. */
export function domainQuestions(
  seen: Streams,
  home: string | undefined,
  expected: readonly string[],
): readonly DomainQuestion[] {
  const streams = allStreams(seen);
  const known = new Set(streams.map(keyOf));
  const questions = new Map<string, Set<string>>();
  const ask = (domain: string | undefined): Set<string> | undefined => {
    if (domain === undefined || domain === home) return undefined;
    if (!questions.has(domain)) questions.set(domain, new Set());
    return questions.get(domain);
  };
  for (const domain of expected) ask(domain);
  for (const { stream, origin } of originsOf(streams)) {
    const domain = domainOf(origin, stream);
    if (origin.api === undefined && !known.has(keyOf({ domain, name: origin.stream }))) ask(domain)?.add(origin.stream);
  }
  return [...questions].map(([domain, origins]) => ({ domain, origins: [...origins] }));
}

/** All origins with the streams that copy from them, as far as their leaders reported them. */
export function originsOf(
  streams: readonly StreamFacts[],
): readonly { readonly stream: StreamFacts; readonly origin: OriginFacts }[] {
  return streams.flatMap((stream) =>
    (stream.origins.ok ? stream.origins.value : []).map((origin) => ({ stream, origin })),
  );
}

/** The domain of an origin. */
export function domainOf(origin: OriginFacts, copy: StreamFacts): string | undefined {
  return origin.domain ?? copy.domain;
}

/** The account's view of a domain; undefined if it was not asked. */
export function viewOf({ accountView }: Observation, domain: string | undefined): DomainView | undefined {
  if (accountView.ok !== true) return undefined;
  return accountView.value.domains.find((view) => view.domain === domain);
}

/** What is known of an origin. */
export type KnownOrigin =
  | { readonly kind: "seen"; readonly stream: StreamFacts }
  | { readonly kind: "asked"; readonly answer: AskedOrigin }
  | { readonly kind: "absent" | "unknown" };

export function knownOrigin(observation: Observation, origin: OriginFacts, copy: StreamFacts): KnownOrigin {
  if (origin.api !== undefined) return { kind: "unknown" };
  const domain = domainOf(origin, copy);
  const stream = allStreams(observation).find((one) => one.domain === domain && one.name === origin.stream);
  if (stream !== undefined) return { kind: "seen", stream };
  const { streams, elsewhere } = observation;
  // All streams of the copy's own domain were observed.
  if (domain === copy.domain && streams.ok && elsewhere.ok) return { kind: "absent" };
  const answer = viewOf(observation, domain)?.origins.find((asked) => asked.stream === origin.stream);
  return answer === undefined ? { kind: "unknown" } : { kind: "asked", answer };
}

/** Identifies a stream: two domains may have streams with the same name. */
export const keyOf = (stream: { readonly domain?: string | undefined; readonly name: string }): string =>
  `${stream.domain ?? ""} ${stream.name}`;
