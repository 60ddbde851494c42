import type { Benchmark } from "./frame.ts";
import { renewal } from "./renewal.ts";

/** All benchmarks, in the order of the document. */
export const BENCHMARKS: readonly Benchmark[] = [renewal];
