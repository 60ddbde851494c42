/** `nsc describe account --raw` and credentials files put a JWT between such lines. */
const DECORATION = /^-+(BEGIN|END)[^\n]*-+\r?$/gm;

/** The JWT without the lines that tools put around it. */
export function undecorated(text: string): string {
  return text.replace(DECORATION, "").trim();
}
