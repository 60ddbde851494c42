import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** One AWS call, such as `secretsmanager.GetSecretValue`, and its parameters. */
export interface Call {
  readonly action: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A proxy for AWS (or moto) that passes everything on and records the calls. */
export async function recordingProxy(endpoint: string) {
  const calls: Call[] = [];
  const server = createServer(async (request, response) => {
    const body = await buffer(request);
    const target = String(request.headers["x-amz-target"] ?? `${request.method} ${request.url}`);
    calls.push({ action: target, body: parse(body.toString()) });
    const { host: _host, connection: _connection, "content-length": _length, ...headers } = request.headers;
    const answer = await fetch(`${endpoint}${request.url}`, {
      method: request.method ?? "POST",
      headers: headers as Record<string, string>,
      ...(body.length > 0 ? { body } : {}),
    });
    const type = answer.headers.get("content-type") ?? "application/json";
    response.writeHead(answer.status, { "content-type": type }).end(Buffer.from(await answer.arrayBuffer()));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return {
    calls,
    endpoint: `http://127.0.0.1:${port}`,
    /** The names of the secrets that were read, each once. */
    secretsRead: () => [
      ...new Set(
        calls
          .filter(({ action }) => action === "secretsmanager.GetSecretValue")
          .map(({ body }) => String(body["SecretId"])),
      ),
    ],
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

function parse(text: string): Call["body"] {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
