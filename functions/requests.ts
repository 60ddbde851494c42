import type { Method, Route } from "@middy/http-router";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from "aws-lambda";
import * as z from "zod";
import type { App } from "../lib/compose/compose.ts";
import { parseJson } from "../lib/domain/time/json.ts";
import { isPrintable } from "../lib/domain/time/printable.ts";
import { RelightError } from "../lib/errors.ts";
import { answer, readRequest } from "./http.ts";
import type { WithApp } from "./runtime.ts";

type Work = (app: App, event: APIGatewayProxyEventV2, actor: string) => Promise<readonly [number, object]>;

/** A route asks who calls, though the authorizer did: an API that was deployed without one answers nobody. */
export function route(
  method: Method,
  path: string,
  work: Work,
): Route<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2> {
  const handler = async (event: APIGatewayProxyEventV2, context: Context) => {
    const [status, body] = await work((context as WithApp).app, event, actorOf(event));
    return answer(status, body);
  };
  return { method, path, handler };
}

/** Who calls, as the IAM authorizer found out. @throws RelightError `request.unauthorized` where none did. */
function actorOf({ requestContext }: APIGatewayProxyEventV2): string {
  const { authorizer } = requestContext as { authorizer?: { iam?: { userArn?: unknown } } };
  const userArn = authorizer?.iam?.userArn;
  if (typeof userArn === "string" && userArn !== "") return userArn;
  throw new RelightError("request.unauthorized", "the request was let in without anybody's identity");
}

/** Of an id or a name. */
const LONGEST_NAME = 256;

/** A part of the path; API Gateway decodes it. @throws RelightError `request.invalid` */
export function parameter({ pathParameters }: APIGatewayProxyEventV2, name: string): string {
  return valid(words(0, LONGEST_NAME), pathParameters?.[name] ?? "", `the path's ${name} is invalid`);
}

/** Text on one line, without characters that a terminal would obey. */
export const words = (least: number, most: number) =>
  z.string().min(least).max(most).refine(isPrintable, { message: "has control characters" });

const order = z.strictObject({
  action: z.enum(["verify", "renew", "heal", "remediate"]),
  /** Why; it goes into the journal. */
  reason: words(3, 500).refine((text) => text.trim().length >= 3, { message: "is empty" }),
});

/** @throws RelightError `request.invalid`; it never quotes the body. */
export function readOrder(event: APIGatewayProxyEventV2): z.infer<typeof order> {
  return valid(order, parseJson(readRequest(event).body), "the body is no order");
}

const page = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  /** The last account of the page before. */
  after: words(1, LONGEST_NAME).optional(),
});

/** @throws RelightError `request.invalid` */
export function readPage({ queryStringParameters = {} }: APIGatewayProxyEventV2): z.infer<typeof page> {
  return valid(page, queryStringParameters, "the query is no page");
}

function valid<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new RelightError("request.invalid", `${what}: ${z.prettifyError(parsed.error)}`);
}
