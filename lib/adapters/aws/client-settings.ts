/**
 * What every AWS client starts from. Region, credentials and `AWS_ENDPOINT_URL` come from the environment,
 * as the SDK does by itself; but it would wait for an answer without end, and that must not be.
 */
export const CLIENT_SETTINGS = {
  maxAttempts: 3,
  // Without `throwOnRequestTimeout` the SDK only warns when the time is over.
  requestHandler: { connectionTimeout: 3_000, requestTimeout: 10_000, throwOnRequestTimeout: true },
} as const;

/**
 * The name of what the SDK threw (`ThrottlingException`, …), or the code of what the network did (`ECONNREFUSED`),
 * which unlike its text hold nothing private.
 */
export function errorName(thrown: unknown): string {
  const { name, code } = thrown as Error & { readonly code?: unknown };
  return name === "Error" && typeof code === "string" ? code : name;
}
