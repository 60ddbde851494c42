/** A nats-server configuration as a tree with positions. */

export interface Position {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  /** Counted from 1. */
  readonly column: number;
}

/** A value; `at` is the position of its key, or in a list of the value itself. */
export type ConfigValue =
  | { readonly kind: "string"; readonly value: string; readonly at: Position }
  | { readonly kind: "number"; readonly value: number; readonly at: Position }
  | { readonly kind: "boolean"; readonly value: boolean; readonly at: Position }
  /** As written: `2026-01-31T12:00:00Z`. */
  | { readonly kind: "date"; readonly value: string; readonly at: Position }
  /** Of a variable that nobody here knows, if such variables are tolerated. */
  | { readonly kind: "unknown"; readonly at: Position }
  | { readonly kind: "array"; readonly items: readonly ConfigValue[]; readonly at: Position }
  | ConfigMap;

export interface ConfigMap {
  readonly kind: "map";
  readonly entries: ReadonlyMap<string, ConfigValue>;
  readonly at: Position;
}

/** Files and variables outside the configuration that it may refer to. */
export interface ConfigSources {
  /** The file that `include PATH` in file `from` names. The server resolves paths from that file's folder. */
  include(from: string, path: string): ConfigSource | undefined;
  /** An environment variable, used if no enclosing map defines the variable. */
  variable(name: string): string | undefined;
  /** Hears of a variable that is defined nowhere, whose value then is unknown; without it such a variable is a fault. */
  unknownVariable?(at: Position): void;
}

export interface ConfigSource {
  readonly file: string;
  readonly text: string;
  /** Where in the file the text begins, if it is a part of it. */
  readonly begin?: TextBegin;
}

export interface TextBegin {
  readonly line: number;
  /** Of each line. */
  readonly column: number;
  /** Whether all of the text stands in this place, as in one line of JSON. */
  readonly isOnePlace?: boolean;
}

export type ParsedConfig =
  | { readonly ok: true; readonly root: ConfigMap }
  | { readonly ok: false; readonly at: Position; readonly problem: string };

/** The entry of a map with any of `names`, case-insensitively like the server. The last one counts. */
export function entryOf(map: ConfigMap | undefined, ...names: readonly string[]): ConfigValue | undefined {
  const found = [...(map?.entries ?? [])].filter(([key]) => names.includes(key.toLowerCase()));
  return found.at(-1)?.[1];
}

export function mapOf(value: ConfigValue | undefined): ConfigMap | undefined {
  return value?.kind === "map" ? value : undefined;
}

export function itemsOf(value: ConfigValue | undefined): readonly ConfigValue[] {
  return value?.kind === "array" ? value.items : [];
}

export function stringOf(value: ConfigValue | undefined): string | undefined {
  return value?.kind === "string" ? value.value : undefined;
}

/** Whether a value is there, but nobody here knows it. */
export const isUnknown = (value: ConfigValue | undefined): boolean => value?.kind === "unknown";
