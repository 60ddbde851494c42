import { describe } from "@jest/globals";
import type { Moto, MotoSettings } from "../../lab/twin/moto.ts";

export { type Moto, type MotoSettings, startMoto } from "../../lab/twin/moto.ts";

/** A suite that needs AWS; without moto it is skipped, and says so loudly. */
export function describeAws(moto: Moto, name: string, suite: (settings: MotoSettings) => void): void {
  if (moto.ok) {
    describe(name, () => suite(moto.settings));
    return;
  }
  console.warn(`SKIPPED, NOT TESTED: "${name}" needs moto in place of AWS, and ${moto.missing}`);
  describe.skip(name, () => suite(NOWHERE));
}

/** What a skipped suite creates its clients with; they send nothing. */
const NOWHERE: MotoSettings = {
  endpoint: "http://127.0.0.1:1",
  region: "nowhere",
  credentials: { accessKeyId: "none", secretAccessKey: "none" },
};
