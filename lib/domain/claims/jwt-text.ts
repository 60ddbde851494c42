import { type JsonObject, parseJsonObject } from "../time/json.ts";

/** `nsc describe account --raw` and credentials files put a JWT between such lines. */
const DECORATION = /^-+(BEGIN|END)[^\n]*-+\r?$/gm;

/** The JWT without the lines that tools put around it. */
export function undecorated(text: string): string {
  return text.replace(DECORATION, "").trim();
}

/** The payload of any NATS JWT, without verifying its signature. */
export function readPayload(token: string): JsonObject | undefined {
  const [, part = ""] = token.trim().split(".");
  try {
    const bytes = Uint8Array.from(atob(part.replaceAll("-", "+").replaceAll("_", "/")), (byte) => byte.charCodeAt(0));
    return parseJsonObject(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
