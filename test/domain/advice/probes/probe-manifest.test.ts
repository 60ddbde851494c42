import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { parseAllDocuments } from "yaml";
import { checkManifest, exposureOf } from "../../../../lib/domain/advice/probes/probe-manifest.ts";
import type { ManifestFinding } from "../../../../lib/domain/advice/probes/probe-manifest-facts.ts";
import { parseImage } from "../../../../lib/domain/advice/probes/probe-server.ts";

const read = (name: string) => {
  const text = readFileSync(join(import.meta.dirname, "..", "..", "manifests", name), "utf8");
  return checkManifest(parseAllDocuments(text).map((document) => document.toJS()));
};

const short = (findings: readonly ManifestFinding[]) => findings.map(({ severity, about }) => `${severity} ${about}`);

describe("the official chart's manifest", () => {
  const [container, ...others] = read("helm-chart.yaml");

  test("has one nats-server: exporter, reloader and nats-box do not count", () => {
    expect(others).toEqual([]);
    expect(container).toMatchObject({
      workload: "StatefulSet messaging/nats",
      container: "nats",
      version: "2.10.27",
    });
  });

  test("uses the full /healthz as startup probe, and its grace period is too short; the rest is fine", () => {
    expect(short(container?.findings ?? [])).toEqual([
      "critical startupProbe",
      "warning terminationGracePeriodSeconds",
    ]);
    const [startup] = container?.findings ?? [];
    expect(startup?.message).toContain("#8084");
    expect(startup?.fix).toEqual([
      "startupProbe:",
      "  httpGet:",
      "    path: /healthz?js-enabled-only=true",
      "    port: monitor",
    ]);
  });
});

describe("a manifest with many faults", () => {
  const containers = read("traps.yaml");
  const of = (name: string) => containers.find(({ workload }) => workload.endsWith(name))?.findings ?? [];

  test("finds every workload, by image or by command", () => {
    expect(containers.map(({ workload, version }) => [workload, version])).toEqual([
      ["StatefulSet a/liveness-full", undefined],
      ["Deployment by-command", undefined],
      ["Pod bare", "2.15.1"],
      ["DaemonSet good", "2.10"],
      ["Pod by-name", "2.14.4"],
    ]);
  });

  test("options without a true value, and the old option, request the full /healthz", () => {
    expect(short(of("liveness-full"))).toEqual([
      ...["critical livenessProbe", "critical startupProbe", "warning readinessProbe"],
      ...["warning terminationGracePeriodSeconds", "note podManagementPolicy", "note updateStrategy"],
    ]);
    expect(of("liveness-full")[0]?.message).toMatch(/which is the full \/healthz: .*tag does not name/);
  });

  test("a command that requests /healthz counts as a probe", () => {
    expect(short(of("by-command"))).toEqual(["critical livenessProbe"]);
  });

  test("missing probes and a short grace period are warnings", () => {
    expect(short(of("bare"))).toEqual([
      ...["warning livenessProbe", "warning startupProbe", "warning readinessProbe"],
      "warning terminationGracePeriodSeconds",
    ]);
  });

  test("a fixed version makes it a warning", () => {
    expect(short(of("by-name"))).toEqual(["warning livenessProbe"]);
    expect(of("by-name")[0]?.message).not.toContain("#8084");
  });

  test("a correct manifest has no finding", () => {
    expect(of("good")).toEqual([]);
  });
});

describe("which probe may use which health check", () => {
  const probed = (probe: string, path: string, image: string) => {
    const spec = { containers: [{ name: "nats", image, [probe]: { httpGet: { path, port: 8222 } } }] };
    const [found] = checkManifest([{ kind: "Pod", spec }]);
    return found?.findings.find(({ about }) => about === probe)?.severity;
  };

  test.each<[string, string, string, string | undefined]>([
    ["livenessProbe", "/healthz", "nats:2.10.27", "critical"],
    ["livenessProbe", "/healthz", "nats:2.14.4", "warning"],
    ["livenessProbe", "/healthz", "nats:latest", "critical"],
    ["livenessProbe", "/healthz/", "nats", "critical"],
    ["livenessProbe", "/healthz?js-server-only=true", "nats:2.10.27", "warning"],
    ["livenessProbe", "/healthz?js-enabled-only=false", "nats:2.10.27", "critical"],
    ["livenessProbe", "/healthz?js-enabled-only=true&js-server-only=true", "nats:2.10.27", undefined],
    ["livenessProbe", "/", "nats:2.10.27", undefined],
    ["startupProbe", "/healthz", "nats:2.9.10", "critical"],
    ["startupProbe", "/varz", "nats:2.10.27", undefined],
    ["readinessProbe", "/healthz", "nats:2.14.4", "warning"],
    ["readinessProbe", "/healthz?js-meta-only=true", "nats:2.12.1", undefined],
    ["readinessProbe", "/healthz?js-server-only=true", "nats:2.10.27", undefined],
  ])("%s of %s on %s: %s", (probe, path, image, severity) => {
    expect(probed(probe, path, image)).toBe(severity);
  });
});

test.each([
  ["nats:2.10.27-alpine", "nats", "2.10.27"],
  ["nats", "nats", undefined],
  ["nats:latest", "nats", undefined],
  ["nats:2.10-alpine", "nats", "2.10"],
  ["bitnami/nats:2.10.27-debian-12-r0", "bitnami/nats", "2.10.27"],
  ["registry:5000/nats", "registry:5000/nats", undefined],
  ["registry:5000/x/nats:v2.11.1@sha256:ab", "registry:5000/x/nats", "2.11.1"],
  ["nats:2.12.14-RC.1", "nats", "2.12.14-RC.1"],
  ["nats:20240101", "nats", undefined],
])("the image %s", (image, repository, version) => {
  expect(parseImage(image)).toEqual({ repository, version });
});

test.each([
  ["2.10.27", "affected"],
  ["2.12.13", "affected"],
  ["2.12.14-RC.1", "affected"],
  ["2.12.14", "fixed"],
  ["2.14.3", "affected"],
  ["2.14.4", "fixed"],
  ["2.10", "affected"],
  ["2.12", "unknown"],
  ["2.15", "fixed"],
  [undefined, "unknown"],
])("the version %s is %s", (version, exposure) => {
  expect(exposureOf(version)).toBe(exposure);
});

test("any YAML value is checked without an exception", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const pod = {
        containers: [value, { image: "nats", livenessProbe: value, startupProbe: { exec: value, httpGet: value } }],
      };
      const objects = [value, { kind: "List", items: value }, { kind: "Pod", metadata: value, spec: pod }];
      return checkManifest(objects).length > 0;
    }),
  );
});
