import { worst } from "../verdict/verdict.ts";
import { accountsLayer, streamsLayer, subjectsLayer } from "./layers-accounts.ts";
import { type ClusterFacts, type Evidence, LAYERS, type Layer, type LayerId } from "./layers-facts.ts";
import { jetStreamLayer, metaLayer, serversLayer } from "./layers-servers.ts";

/** Judges every layer. Layers above a dead one were not checked and are unknown. */
export function judgeLayers(facts: ClusterFacts): readonly Layer[] {
  const judged: Record<LayerId, (facts: ClusterFacts) => readonly Evidence[]> = {
    servers: serversLayer,
    jetstream: jetStreamLayer,
    meta: metaLayer,
    accounts: accountsLayer,
    streams: streamsLayer,
    subjects: subjectsLayer,
  };
  const layers: Layer[] = [];
  for (const [id, judge] of Object.entries(judged) as [LayerId, (typeof judged)[LayerId]][]) {
    const blocker = layers.find(({ verdict, id: below }) => verdict === "dead" && !PER_ACCOUNT.has(below));
    const evidence = blocker === undefined ? judge(facts) : [notLookedAt(blocker)];
    layers.push({ id, title: LAYERS[id], verdict: worst(evidence.map(({ health }) => health)), evidence });
  }
  return layers;
}

/** Layers in which a dead account does not affect others. Layers above them are judged per account. */
const PER_ACCOUNT: ReadonlySet<LayerId> = new Set(["accounts", "streams", "subjects"]);

function notLookedAt({ id, title }: Layer): Evidence {
  return { health: "unknown", message: `not checked, because the layer "${title}" (${id}) is dead` };
}
