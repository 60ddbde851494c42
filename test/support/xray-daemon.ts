import { createSocket } from "node:dgram";
import { once } from "node:events";
import { z } from "zod";
import { waitFor } from "../../lab/wait.ts";

/** A subsegment that is sent separately, as X-Ray documents it (docs.aws.amazon.com/xray, "Segment documents"). */
const subsegment = z.strictObject({
  type: z.literal("subsegment"),
  name: z.string().regex(/^[\p{L}\p{N}\s_.:/%&#=+\\@-]{1,200}$/u),
  id: z.string().regex(/^[0-9a-f]{16}$/),
  parent_id: z.string().regex(/^[0-9a-f]{16}$/),
  trace_id: z.string().regex(/^1-[0-9a-f]{8}-[0-9a-f]{24}$/),
  start_time: z.number().positive(),
  end_time: z.number().positive(),
  namespace: z.enum(["aws", "remote"]).optional(),
  aws: z.strictObject({ operation: z.string().optional() }).optional(),
  annotations: z.record(z.string().regex(/^\w+$/), z.string().max(250)).optional(),
  error: z.boolean().optional(),
  fault: z.boolean().optional(),
  throttle: z.boolean().optional(),
  cause: z
    .strictObject({
      exceptions: z.array(z.strictObject({ id: z.string(), type: z.string(), message: z.string() })),
    })
    .optional(),
});

export type Subsegment = z.infer<typeof subsegment>;

/** Listens where Lambda's X-Ray daemon would be. */
export async function startXrayDaemon() {
  const socket = createSocket("udp4");
  const datagrams: string[] = [];
  socket.on("message", (datagram) => datagrams.push(datagram.toString()));
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const read = (): Subsegment[] => datagrams.map(readDatagram);
  return {
    address: `127.0.0.1:${socket.address().port}`,
    datagrams,
    /** Everything that arrived, once there is one with this name. */
    until: async (name: string): Promise<readonly Subsegment[]> => {
      await waitFor(`the step ${name}`, async () => read().some((segment) => segment.name === name));
      return read();
    },
    stop: () => new Promise<void>((done) => socket.close(() => done())),
  };
}

function readDatagram(text: string): Subsegment {
  const [header = "", document = ""] = text.split("\n");
  if (header !== '{"format": "json", "version": 1}') throw new Error(`not the daemon's header: ${header}`);
  if (Buffer.byteLength(document) > 64_000) throw new Error("a segment document has 64 kB at most");
  return subsegment.parse(JSON.parse(document));
}
