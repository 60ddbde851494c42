import { type Document, isScalar, LineCounter, type Pair, parseAllDocuments, type Scalar } from "yaml";
import type { TextBegin } from "../lib/domain/advice/server-config/nats-config.ts";
import { isJsonObject } from "../lib/domain/time/json.ts";
import type { ConfigInput } from "../lib/usecases/reports/check-config.ts";

/** Kubernetes objects begin with both, in any order. */
export const isKubernetes = (text: string): boolean =>
  /^\s*["']?apiVersion["']?\s*:/m.test(text) && /^\s*["']?kind["']?\s*:/m.test(text);

/**
 * The entries of ConfigMaps and of Secrets in plain text in YAML documents, such as those of `helm template`. Each has its
 * place in the file. A document that is no YAML has none.
 */
export function configMapEntries(file: string, text: string): readonly ConfigInput[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines });
  if (!Array.isArray(documents)) return [];
  return (documents as Document[]).flatMap((document) =>
    mapsIn(document).flatMap((pairs) => {
      const beside = new Map(pairs.map(({ key, value }) => [String(key.value), String(value.value)]));
      return pairs.map(({ value }): ConfigInput => {
        const part = { file, text: String(value.value), begin: placeOf(value, text, lines), beside };
        return { file, named: false, part };
      });
    }),
  );
}

type Entry = Pair<Scalar, Scalar> & { readonly value: Scalar };

/** The entries of each map of files in a document, also in lists. */
function mapsIn(document: Document): readonly (readonly Entry[])[] {
  const object: unknown = document.toJS();
  const items = isJsonObject(object) && Array.isArray(object["items"]) ? object["items"] : [];
  const paths: (readonly (string | number)[])[] = [[], ...items.map((_item, index) => ["items", index])];
  return paths.flatMap((path) => {
    const kind = document.getIn([...path, "kind"]);
    const key = kind === "ConfigMap" ? "data" : kind === "Secret" ? "stringData" : undefined;
    const map: unknown = key === undefined ? undefined : document.getIn([...path, key], true);
    const pairs = (map as { readonly items?: readonly Pair[] } | undefined)?.items ?? [];
    return [pairs.filter((pair): pair is Entry => isScalar(pair.key) && isScalar(pair.value))];
  });
}

/** Where the text of a block begins; of another scalar only its own place is known. */
function placeOf(value: Scalar, text: string, lines: LineCounter): TextBegin {
  const [start] = value.range ?? [0];
  const { line, col: column } = lines.linePos(start);
  if (value.type !== "BLOCK_LITERAL") return { line, column, isOnePlace: true };
  const first = text.split("\n", line + 1)[line] ?? "";
  return { line: line + 1, column: 1 + (/^ */.exec(first)?.[0].length ?? 0) };
}
