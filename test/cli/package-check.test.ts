import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";

/** The plugin that refuses to package a stack that could not work. */

const Check = createRequire(import.meta.url)("../../deploy/check.cjs");
const folder = mkdtempSync(join(tmpdir(), "relight-package-check-"));
afterAll(() => rmSync(folder, { recursive: true }));
const before = process.env["RELIGHT_PACKAGE_FOR_TWIN"];
beforeAll(() => {
  delete process.env["RELIGHT_PACKAGE_FOR_TWIN"];
});
afterAll(() => {
  if (before !== undefined) process.env["RELIGHT_PACKAGE_FOR_TWIN"] = before;
});

const PARAMS = { default: { alarmEmail: "", subnets: "", securityGroups: "" } };

function faults(param: readonly string[] = [], { command = "package", params = {} } = {}): string {
  const serverless = {
    processedInput: { commands: [command] },
    configurationInput: { params: { ...PARAMS, ...params } },
    serviceDir: folder,
    classes: { Error },
  };
  try {
    new Check(serverless, { param }).hooks.initialize();
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

describe("a package", () => {
  test("needs relight.yaml, and every file that it refers to", () => {
    expect(faults()).toMatch(/^relight\.yaml is missing/);
    expect(faults([], { command: "remove" })).toBe("");
    writeFileSync(join(folder, "relight.yaml"), "operator: { jwt: file:operator.jwt }\n# signingKey: file:x.nk\n");
    expect(faults()).toBe("operator.jwt is missing: relight.yaml refers to it");
    writeFileSync(join(folder, "operator.jwt"), "eyJ");
    expect(faults()).toBe("");
  });

  test("has no other file", () => {
    writeFileSync(join(folder, "relight.yaml"), "operator: { jwt: file:operator.jwt, signingKey: file:operator.nk }");
    expect(faults()).toMatch(/file:operator\.nk, which is not packaged/);
    writeFileSync(join(folder, "relight.yaml"), "operator: { jwt: file:./operator.jwt }");
    expect(faults()).toBe("");
  });

  test("takes only parameters that there are", () => {
    expect(faults(["alarmEmail=a@b"])).toBe("");
    expect(faults(["alarmEmial=a@b"])).toMatch(/^there is no parameter alarmEmial; there are alarmEmail, subnets/);
    expect(faults([], { params: { staging: { loDays: 1 } } })).toMatch(/no parameter loDays/);
  });

  test("runs in a VPC with subnets and security groups, or in none", () => {
    expect(faults(["subnets=a,b", "securityGroups=c"])).toBe("");
    expect(faults(["subnets=a,b"])).toMatch(/^subnets is set, but securityGroups is not/);
    expect(faults(["securityGroups=c"])).toMatch(/^securityGroups is set, but subnets is not/);
    expect(faults([], { params: { prod: { subnets: "a" } } })).toMatch(/^subnets is set/);
  });
});
