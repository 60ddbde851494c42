import type { Method, Route } from "@middy/http-router";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from "aws-lambda";
import type { App } from "../lib/compose/compose.ts";
import { RelightError } from "../lib/errors.ts";
import { readName } from "../lib/http/requests.ts";
import { answer } from "./http.ts";
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

/** A part of the path; API Gateway decodes it. @throws RelightError `request.invalid` */
export const parameter = ({ pathParameters }: APIGatewayProxyEventV2, name: string): string =>
  readName(pathParameters?.[name], name);
