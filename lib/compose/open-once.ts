/**
 * Opens at the first call and returns the same result to later ones; a failure is retried at the next call. So a run reads
 * no secret and opens no client that it does not use, and needs no permission for it.
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
