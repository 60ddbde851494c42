import Table from "cli-table3";
import { type EpochMillis, isoTime } from "../lib/domain/time/time.ts";

/** A table without lines. */
export const newTable = (...head: string[]): Table.Table =>
  new Table({ head, style: { head: [], border: [], compact: true }, chars: EMPTY_BORDERS });

/** `2026-11-29 14:05`, UTC. */
export const minute = (at: EpochMillis): string => isoTime(at).slice(0, 16).replace("T", " ");

const EMPTY_BORDERS = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: " ",
};
