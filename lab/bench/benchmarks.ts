import { doctor } from "./doctor.ts";
import type { Benchmark } from "./frame.ts";
import { large } from "./large.ts";
import { listing } from "./listing.ts";
import { million } from "./million.ts";
import { recovery } from "./recovery.ts";
import { renewal } from "./renewal.ts";
import { starts } from "./starts.ts";

/** All benchmarks, in the order of the document. */
export const BENCHMARKS: readonly Benchmark[] = [renewal, listing, million, large, doctor, recovery, starts];
