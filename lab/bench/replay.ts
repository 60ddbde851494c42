import { once } from "node:events";
import { createReadStream } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Stands between clients and a server, and answers the question for all JWTs (`$SYS.REQ.CLAIMS.PACK`) itself, from a file
 * with one answer a line. So no server with a million files is needed; everything else is the server's.
 */
export interface Replay extends AsyncDisposable {
  readonly url: string;
}

const SUBJECT = "$SYS.REQ.CLAIMS.PACK";
const LINE_END = Buffer.from("\r\n");
/** Answers that are written together, in bytes. */
const TOGETHER = 65_536;

export interface Recorded {
  readonly file: string;
  /** How many of the file's lines an answer has. */
  readonly count: number;
  /** At most so many of them in a second, as a server that reads a file for each. */
  readonly perSecond: number;
}

export async function replaying(server: string, recorded: Recorded): Promise<Replay> {
  const { hostname, port } = new URL(server);
  const sockets = new Set<Socket>();
  const listener = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
    }
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
    relay(client, upstream, (to) => answer(client, to, recorded));
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  return {
    url: `nats://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, "close");
    },
  };
}

interface Asker {
  readonly reply: string;
  /** The number of the client's subscription. */
  readonly subscription: string;
}

/** Passes on what both say, whole messages at a time, so that an answer comes between two of them. */
function relay(client: Socket, upstream: Socket, answerAll: (to: Asker) => Promise<void>): void {
  let subscription = "";
  let answering: Promise<unknown> = Promise.resolve();
  client.on(
    "data",
    messages((message, head) => {
      const [verb = "", subject = "", ...rest] = head.split(" ");
      if (verb === "SUB") subscription = rest.at(-1) ?? "";
      if (verb !== "PUB" || subject !== SUBJECT) return upstream.write(message);
      const to = { reply: rest[0] ?? "", subscription };
      // A client that has left is no failure.
      answering = answering.then(() => answerAll(to)).catch(() => undefined);
      return true;
    }),
  );
  upstream.on(
    "data",
    messages((message) => {
      // What the server says while an answer is written waits for its end.
      answering = answering.then(() => client.write(message));
    }),
  );
}

const WITH_PAYLOAD = /^H?(PUB|MSG) /;

/** Splits what arrives into messages of the protocol, each with its first line. */
function messages(take: (message: Buffer, head: string) => unknown): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(LINE_END); end >= 0; end = rest.indexOf(LINE_END)) {
      const head = rest.toString("latin1", 0, end);
      const payload = WITH_PAYLOAD.test(head) ? Number(head.split(" ").at(-1)) + LINE_END.length : 0;
      const length = end + LINE_END.length + payload;
      if (rest.length < length) return;
      take(rest.subarray(0, length), head);
      rest = rest.subarray(length);
    }
  };
}

async function answer(
  client: Socket,
  { reply, subscription }: Asker,
  { file, count, perSecond }: Recorded,
): Promise<void> {
  const began = performance.now();
  const frame = (text: string): string => `MSG ${reply} ${subscription} ${Buffer.byteLength(text)}\r\n${text}\r\n`;
  const send = async (text: string): Promise<void> => {
    if (!client.write(text)) await Promise.race([once(client, "drain"), once(client, "close")]);
  };
  let [sent, together] = [0, ""];
  for await (const line of createInterface({ input: createReadStream(file) })) {
    together += frame(line);
    sent += 1;
    if (together.length >= TOGETHER) {
      await send(together);
      together = "";
      await sleep(Math.max(0, began + (sent / perSecond) * 1000 - performance.now()));
    }
    if (sent === count || client.destroyed) break;
  }
  await send(together + frame(""));
}
