import { runCommandLine } from "./relight.ts";

const exitCode = await runCommandLine();
// The NATS client leaves its socket open when a server accepts and then says nothing; waiting for it to
// close would be waiting for ever.
process.stdout.write("", () => process.exit(exitCode));
