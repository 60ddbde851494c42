import middy from "@middy/core";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { receiveNotice } from "../lib/http/notice.ts";
import { answer, problems, readRequest } from "./http.ts";
import { relight, type WithApp } from "./runtime.ts";

/** Issuer's webhook → a job. 202 queued or coalesced, 200 repeated, 4xx the issuer must fix it, 5xx try again. */
export const handler = middy<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Error, WithApp>()
  .use(problems())
  .use(relight())
  .handler(async (event, { app }) => answer(...(await receiveNotice(app, readRequest(event)))));
