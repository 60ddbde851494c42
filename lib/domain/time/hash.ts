/**
 * FNV-1a of the text's UTF-16 units, an unsigned number of 32 bits. For what must be stable and evenly distributed; not
 * cryptographic.
 */
export function fnv1a(text: string, seed = 0x811c9dc5): number {
  let hash = seed;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}
