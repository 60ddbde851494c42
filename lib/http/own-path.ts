/** Any origin; nothing is asked there. */
const HERE = "http://here.invalid";
/** Characters. */
const LONGEST = 1_000;

/**
 * A path with its query, on this server, as a browser understands it; undefined for everything that could lead elsewhere
 * (`//host`, `/\host`, another scheme) and for what is no path.
 */
export function ownPath(text: string | undefined): string | undefined {
  if (text === undefined || text.length > LONGEST || !text.startsWith("/")) return undefined;
  const url = URL.parse(text, HERE);
  if (url === null || url.origin !== HERE) return undefined;
  // `/.//host` is `//host` once it is resolved.
  return url.pathname.startsWith("//") ? undefined : url.pathname + url.search;
}
