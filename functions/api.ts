import middy from "@middy/core";
import router from "@middy/http-router";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { readOrder, readPage } from "../lib/http/requests.ts";
import { notFoundResponse, problems, readRequest } from "./http.ts";
import { parameter, route } from "./requests.ts";
import { relight, type WithApp } from "./runtime.ts";

const ACCOUNT = "/accounts/{account}";

const routes = [
  route("GET", "/accounts", async ({ console }, event) => [
    200,
    await console.accounts(readPage(event.queryStringParameters ?? {})),
  ]),
  route("GET", ACCOUNT, async ({ console }, event) => [200, await console.account(parameter(event, "account"))]),
  route("POST", `${ACCOUNT}/jobs`, async ({ console }, event, actor) => {
    const order = { ...readOrder(readRequest(event).body), account: parameter(event, "account"), actor };
    return [202, await console.order(order)];
  }),
  route("GET", `${ACCOUNT}/jobs/{correlation}`, async ({ console }, event) => {
    const [account, correlation] = [parameter(event, "account"), parameter(event, "correlation")];
    return [200, await console.ended(account, correlation)];
  }),
];

/** The console's API. It opens no connection to NATS and reads no secret: it knows the journal and the queue. */
export const handler = middy<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Error, WithApp>()
  .use(problems())
  .use(relight())
  .handler(router({ routes, notFoundResponse }));
