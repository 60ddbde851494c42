/**
 * Settings of every AWS client. Region, credentials and `AWS_ENDPOINT_URL` come from the environment, as the SDK does by
 * default. But by default the SDK waits for an answer forever.
 */
export const CLIENT_SETTINGS = {
  maxAttempts: 3,
  // Without `throwOnRequestTimeout` the SDK only warns at a timeout.
  requestHandler: { connectionTimeout: 3_000, requestTimeout: 10_000, throwOnRequestTimeout: true },
} as const;

/** The name of an SDK error (`ThrottlingException`), or the code of a network error (`ECONNREFUSED`): unlike messages, never private. */
export function errorName(thrown: unknown): string {
  const { name, code } = thrown as Error & { readonly code?: unknown };
  return name === "Error" && typeof code === "string" ? code : name;
}
