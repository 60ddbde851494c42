import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { describe } from "@jest/globals";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { sampleOf } from "./exhaustive.ts";

const CHROMIUM = process.env["RELIGHT_CHROMIUM"] ?? "/usr/bin/chromium";

/** A suite that needs a browser; without one it is skipped, and says so loudly. */
export function describeBrowser(name: string, suite: () => void): void {
  if (existsSync(CHROMIUM)) {
    describe(name, suite);
    return;
  }
  console.warn(`SKIPPED, NOT TESTED: "${name}" needs Chromium, and ${CHROMIUM} is missing`);
  describe.skip(name, suite);
}

/** Sends nothing to anybody but the pages that a test opens. */
export const openBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: CHROMIUM,
    args: [
      ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
      ...["--disable-background-networking", "--disable-component-update"],
    ],
  });

export const LOOKS = {
  light: { colorScheme: "light", viewport: { width: 1280, height: 800 } },
  dark: { colorScheme: "dark", viewport: { width: 1280, height: 800 } },
  phoneDark: { colorScheme: "dark", viewport: { width: 360, height: 740 } },
  phone: { colorScheme: "light", viewport: { width: 360, height: 740 } },
} as const satisfies Record<string, BrowserContextOptions>;

/** All looks; by default each color scheme and each width once. */
export const SOME_LOOKS = sampleOf([LOOKS.light, LOOKS.phoneDark], Object.values(LOOKS));
/** The looks that {@link SOME_LOOKS} leaves out by default, for another role. */
export const OTHER_LOOKS = sampleOf([LOOKS.dark, LOOKS.phone], Object.values(LOOKS));

/** A page that keeps what the browser complains about, and what it asks of anybody. */
export async function openPage(browser: Browser, options: BrowserContextOptions) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const problems: string[] = [];
  const asked = new Set<string>();
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && problems.push(message.text()));
  page.on("pageerror", ({ message }) => problems.push(message));
  page.on("dialog", (dialog) => {
    problems.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("request", (request) => asked.add(new URL(request.url()).origin));
  return { page, problems, asked, [Symbol.asyncDispose]: () => context.close() };
}

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** What axe finds wrong, one line each. The policy forbids its script to the page, so the driver puts it there. */
export async function axeFaults(page: Page): Promise<readonly string[]> {
  const { readFile } = await import("node:fs/promises");
  await page.evaluate(await readFile(AXE, "utf8"));
  const violations = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: Axe };
    // Off by default, and needed at 3 a.m. on a phone.
    return (await axe.run({ rules: { "target-size": { enabled: true } } })).violations;
  });
  return violations.flatMap(({ id, help, nodes }) => nodes.map(({ target }) => `${id}: ${help} (${target.join(" ")})`));
}

interface Axe {
  run(options: object): Promise<{ readonly violations: readonly AxeViolation[] }>;
}

interface AxeViolation {
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly { readonly target: readonly string[] }[];
}
