import { RelightError } from "../lib/errors.ts";
import { hostOf, isLoopback } from "../lib/http/loopback.ts";
import { type Guard, newKey } from "./guard.ts";

/**
 * Lets everybody in who uses this machine, as an operator. Refuses other names than this machine's, so that no foreign
 * page can have its own name point here (DNS rebinding).
 * @param name who acts, for the journal
 */
export function loopbackGuard(name: string): Guard {
  const person = { name, role: "operator", way: "loopback" } as const;
  return {
    isSecure: false,
    key: newKey(),
    admit: ({ req }) => {
      const host = hostOf(req.header("host"));
      if (host !== undefined && isLoopback(host)) return;
      throw new RelightError("request.unauthorized", "the request's Host is not an address of this machine");
    },
    personOf: () => person,
  };
}
