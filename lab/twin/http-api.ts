import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { End, Functions } from "./functions.ts";
import { ACCOUNT, REGION, type Stack } from "./template.ts";

/** The maximum duration of an HTTP API integration; milliseconds. */
const LONGEST = 30_000;

/** The routes of the stack's HTTP API on loopback, with payload format 2.0. */
export interface HttpApi extends AsyncDisposable {
  readonly url: string;
  /** `POST /issuer`, … */
  readonly routes: readonly Route[];
}

export interface Route {
  readonly key: string;
  readonly function: string;
  readonly authorization: "NONE" | "AWS_IAM";
  readonly timeout: number;
}

interface RouteProperties {
  readonly RouteKey: string;
  readonly Target: string;
  readonly AuthorizationType?: string;
}
interface IntegrationProperties {
  readonly IntegrationUri: string;
  readonly TimeoutInMillis?: number;
}

export async function serveHttpApi(stack: Stack, functions: Functions): Promise<HttpApi> {
  const routes = routesOf(stack, functions);
  const server = createServer((incoming, response) => {
    handle(routes, functions, incoming, response).catch(() => response.destroy());
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    routes,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

function routesOf(stack: Stack, functions: Functions): readonly Route[] {
  const integrations = new Map(
    stack
      .resources<IntegrationProperties>("AWS::ApiGatewayV2::Integration")
      .map(({ id, properties }) => [id, properties]),
  );
  return stack.resources<RouteProperties>("AWS::ApiGatewayV2::Route").map(({ properties }) => {
    const { RouteKey: key, Target: target, AuthorizationType: authorization } = properties;
    // `integrations/NAME`: moto does not support HTTP APIs in a stack, so the name is the template's.
    const integration = integrations.get(target.split("/").at(-1) ?? "");
    if (integration === undefined) throw new Error(`the route ${key} has no integration`);
    const timeout = Math.min(integration.TimeoutInMillis ?? LONGEST, LONGEST);
    return {
      key,
      function: functions.nameOf(integration.IntegrationUri),
      timeout,
      authorization: authorization === "AWS_IAM" ? "AWS_IAM" : "NONE",
    };
  });
}

async function handle(
  routes: readonly Route[],
  functions: Functions,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(incoming.url ?? "/", "http://localhost");
  const found = findRoute(routes, incoming.method ?? "GET", url.pathname);
  if (found === undefined) return refuse(response, 404, "Not Found");
  const { route, parameters } = found;
  const key = signerOf(incoming);
  if (route.authorization === "AWS_IAM" && key === undefined) return refuse(response, 403, "Forbidden");
  const event = await eventOf({ route, parameters, url, incoming, key });
  const run = functions.invoke(route.function, event);
  const late = new Promise<"late">((over) => setTimeout(over, route.timeout, "late").unref());
  answer(response, await Promise.race([run.end, late]));
}

function findRoute(routes: readonly Route[], method: string, path: string) {
  const candidates = routes.flatMap((route) => {
    const [verb = "", pattern = ""] = route.key.split(" ");
    const parameters = verb === method || verb === "ANY" ? match(pattern, path) : undefined;
    return parameters === undefined ? [] : [{ route, parameters }];
  });
  // The route with the fewest variables is the most specific one.
  const variables = ({ parameters }: { parameters: object }): number => Object.keys(parameters).length;
  return candidates.sort((a, b) => variables(a) - variables(b))[0];
}

function match(pattern: string, path: string): Readonly<Record<string, string>> | undefined {
  const names: string[] = [];
  const expression = pattern.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{(\w+)(\\\+)?\}/g, (_, name, greedy) => {
    names.push(name);
    return greedy === undefined ? "([^/]+)" : "(.+)";
  });
  const found = new RegExp(`^${expression}$`).exec(path);
  if (found === null) return undefined;
  return Object.fromEntries(names.map((name, index) => [name, decodeURIComponent(found[index + 1] ?? "")]));
}

/** The access key that signed the request; the signature itself is not checked. */
function signerOf({ headers }: IncomingMessage): string | undefined {
  return /^AWS4-HMAC-SHA256 Credential=([^/,]+)\//.exec(headers.authorization ?? "")?.[1];
}

interface Arrived {
  readonly route: Route;
  readonly parameters: Readonly<Record<string, string>>;
  readonly url: URL;
  readonly incoming: IncomingMessage;
  readonly key: string | undefined;
}

async function eventOf({ route, parameters, url, incoming, key }: Arrived) {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  const headers = Object.fromEntries(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]));
  const isText = /json|text|urlencoded|xml/.test(headers["content-type"] ?? "text");
  const query = Object.fromEntries(url.searchParams);
  return {
    version: "2.0",
    routeKey: route.key,
    rawPath: url.pathname,
    rawQueryString: url.search.slice(1),
    headers,
    ...(url.search === "" ? {} : { queryStringParameters: query }),
    ...(Object.keys(parameters).length === 0 ? {} : { pathParameters: parameters }),
    requestContext: contextOf(route, url, incoming, key),
    ...(body.length === 0 ? {} : { body: isText ? body.toString() : body.toString("base64") }),
    isBase64Encoded: !isText,
  };
}

function contextOf(route: Route, url: URL, incoming: IncomingMessage, key: string | undefined) {
  const now = new Date();
  const authorizer = route.authorization === "AWS_IAM" ? { authorizer: { iam: identityOf(String(key)) } } : {};
  return {
    accountId: ACCOUNT,
    apiId: "twin",
    domainName: `twin.execute-api.${REGION}.amazonaws.com`,
    domainPrefix: "twin",
    stage: "$default",
    requestId: randomUUID(),
    routeKey: route.key,
    time: now.toUTCString(),
    timeEpoch: now.getTime(),
    http: {
      method: incoming.method,
      path: url.pathname,
      protocol: "HTTP/1.1",
      sourceIp: "127.0.0.1",
      userAgent: incoming.headers["user-agent"] ?? "",
    },
    ...authorizer,
  };
}

/** The identity of the person with this access key, as the authorizer reports it. */
function identityOf(key: string) {
  const userArn = `arn:aws:iam::${ACCOUNT}:user/${key}`;
  return {
    accessKey: key,
    accountId: ACCOUNT,
    callerId: key,
    userArn,
    userId: key,
    cognitoIdentity: null,
    principalOrgId: null,
  };
}

interface HttpAnswer {
  readonly statusCode?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly isBase64Encoded?: boolean;
}

/** Like API Gateway: an answer without a status is a body with 200, an error an empty 500. */
function answer(response: ServerResponse, end: End | "late"): void {
  if (end === "late" || end.kind === "throttled") refuse(response, 503, "Service Unavailable");
  else if (end.kind !== "answered") refuse(response, 500, "Internal Server Error");
  else respond(response, end.answer);
}

function respond(response: ServerResponse, given: unknown): void {
  const { statusCode, headers, body = "", isBase64Encoded } = (given ?? {}) as HttpAnswer;
  const text = statusCode === undefined ? JSON.stringify(given) : body;
  response
    .writeHead(statusCode ?? 200, { "content-type": "application/json", ...headers })
    .end(isBase64Encoded === true ? Buffer.from(text, "base64") : text);
}

function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ message }));
}
