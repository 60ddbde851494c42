import { EXIT } from "../lib/errors.ts";
import { stopWithoutReader } from "./out.ts";
import { runCommandLine } from "./relight.ts";

stopWithoutReader([process.stdout, process.stderr], () => process.exit(EXIT.unknown));
const exitCode = await runCommandLine(process.argv.slice(2));
// The NATS client leaves its socket open when a server accepts and then says nothing, so don't wait for it to close.
process.stdout.write("", () => process.exit(exitCode));
