/**
 * Opens at the first call, and gives the same to every later one; what failed is tried again when next asked. So a
 * run reads no secret and opens no client that it does not use, and needs no right to.
 */
export function openOnce<T>(open: () => Promise<T>): () => Promise<T> {
  let opening: Promise<T> | undefined;
  return () => {
    opening ??= open().catch((thrown: unknown) => {
      opening = undefined;
      throw thrown;
    });
    return opening;
  };
}
