import { html } from "hono/html";
import type { Html } from "./layout.ts";

export interface SignInView {
  readonly csrf: string;
  /** Where the person goes then. */
  readonly to: string;
  /** What was wrong with the form that was sent. */
  readonly error: string | undefined;
  readonly name: string;
  readonly hasTokens: boolean;
  readonly hasOidc: boolean;
}

/** The ways to sign in that are configured. */
export function signInView({ csrf, to, error, name, hasTokens, hasOidc }: SignInView): Html {
  const wrong = error === undefined ? "" : html`<p class="error" role="alert">${error}</p>`;
  const provider = hasOidc
    ? html`<p><a class="button" href="/sign-in/oidc?to=${encodeURIComponent(to)}">Sign in with your organization</a></p>`
    : "";
  const token = hasTokens
    ? html`<form class="sign-in" method="post" action="/sign-in"><input type="hidden" name="csrf" value="${csrf}"><input type="hidden" name="to" value="${to}">
<label for="name">Your name, for the journal</label><input id="name" name="name" value="${name}" required maxlength="200" autocomplete="name">
<label for="token">Token</label><input id="token" name="token" type="password" required maxlength="500" autocomplete="current-password">
<button class="primary">Sign in</button></form>`
    : "";
  const none = hasTokens || hasOidc ? "" : html`<p>The proxy did not say who you are. Open the console through it.</p>`;
  return html`<h1>Sign in</h1><section>${wrong}${provider}${token}${none}</section>`;
}

/** Shown for an instant after the provider sent the browser back. */
export const signedInView = (to: string): Html => html`<h1>Signed in</h1><p><a href="${to}">Go on</a></p>`;
