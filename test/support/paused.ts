import type { World } from "../../lab/world.ts";

/** Pauses the server's process until the end of the block, unless it is killed: it answers nothing, and later everything. */
export function paused({ server }: World): Disposable {
  const pid = server.pid();
  if (pid === undefined) throw new Error("the server does not run");
  process.kill(pid, "SIGSTOP");
  return { [Symbol.dispose]: () => void (server.pid() === pid && process.kill(pid, "SIGCONT")) };
}
