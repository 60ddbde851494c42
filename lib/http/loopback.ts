import { isIPv4, isIPv6 } from "node:net";

/** Whether only this machine can reach the host, which is a name or an address without brackets. */
export function isLoopback(host: string): boolean {
  if (isIPv6(host)) return new URL(`http://[${host}]`).hostname === "[::1]";
  return host.toLowerCase() === "localhost" || (isIPv4(host) && host.startsWith("127."));
}

/** How a browser names the address that the server listens on; undefined for what is no host. */
export function hostOf(authority: string | undefined): string | undefined {
  const url = URL.parse(`http://${authority ?? ""}`);
  return url === null || url.username !== "" || url.pathname !== "/" ? undefined : url.hostname.replace(/^\[|\]$/g, "");
}
