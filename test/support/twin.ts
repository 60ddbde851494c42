import { describe } from "@jest/globals";
import { installMoto } from "../../lab/moto.ts";

const moto = await installMoto();

/** A suite on the local twin; without moto it is skipped, and says so loudly. */
export function describeTwin(name: string, suite: () => void): void {
  if (moto.ok) {
    describe(name, suite);
    return;
  }
  console.warn(`SKIPPED, NOT TESTED: "${name}" needs moto in place of AWS, and ${moto.missing}`);
  describe.skip(name, suite);
}

/**
 * For a server of many accounts: it reserves what each one's claims allow, 64 MB, and has less than that by default.
 */
export const ROOM = ", max_mem: 4G";
