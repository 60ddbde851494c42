import middy from "@middy/core";
import * as z from "zod";
import { RelightError } from "../lib/errors.ts";
import { ROTATION_STEPS } from "../lib/usecases/orders/rotate-credentials.ts";
import { relight, type WithApp } from "./runtime.ts";

/** AWS adds fields, such as RotationToken for another account's function. */
const order = z.looseObject({
  Step: z.enum(ROTATION_STEPS),
  SecretId: z.string().min(1),
  ClientRequestToken: z.string().min(1),
});

/** Secrets Manager's rotation protocol, for the system user's credentials. An error stops the rotation. */
export const handler = middy<unknown, unknown, Error, WithApp>()
  .use(relight())
  .handler(async (event, { app }) => {
    const parsed = order.safeParse(event);
    if (!parsed.success) throw new RelightError("rotation.refused", z.prettifyError(parsed.error));
    const { Step: step, SecretId: secretId, ClientRequestToken: version } = parsed.data;
    const done = await app.rotateCredentials({ step, secretId, version });
    app.log.info("a step of a rotation ended", done);
    return done;
  });
