import * as z from "zod";
import { readServerAddress } from "../domain/observation/server-address.ts";
import { EVEN_IF_FAULTY, secretReference } from "./values.ts";

/** `cluster` of the configuration: how to reach the servers. */

/** Where a nats-server listens for clients. Errors do not repeat the value, because it may contain a password. */
export const serverAddress = z.string().superRefine((text, context) => {
  const read = readServerAddress(text);
  if (!read.ok) context.addIssue({ code: "custom", message: read.problem });
});

/** TLS to the servers. If present, even empty, nothing is sent without TLS. */
export const clusterTls = z
  .strictObject({
    /** Trusted CAs, instead of the public ones. */
    ca: secretReference.exactOptional(),
    /** Relight's own certificate, for servers that verify their clients. */
    cert: secretReference.exactOptional(),
    key: secretReference.exactOptional(),
    handshakeFirst: z.boolean().default(false),
  })
  .superRefine(({ cert, key }, context) => {
    const missing = cert === undefined ? "cert" : "key";
    if ((cert === undefined) !== (key === undefined))
      context.addIssue({
        code: "custom",
        path: [missing],
        message: "is missing: a client certificate needs both cert and key",
      });
  }, EVEN_IF_FAULTY);
