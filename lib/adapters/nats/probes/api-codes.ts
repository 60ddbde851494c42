/** Codes of JetStream's API errors (`err_code`) that Relight distinguishes. */
export const CONSUMER_NOT_FOUND = 10014;
export const ACCOUNT_NOT_FOUND = 10035;
export const NOT_ENABLED = 10039;
export const STREAM_NOT_FOUND = 10059;
