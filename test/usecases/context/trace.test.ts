import { expect, test } from "@jest/globals";
import { logWith } from "../../../lib/usecases/context/trace.ts";
import { tracedPort } from "../../../lib/usecases/context/traced-port.ts";
import { fakeLog } from "../../support/fakes/log.ts";

test("a line's own fields override the logger's", () => {
  const log = fakeLog();
  logWith(log, { account: "-" }).error("lost", { account: "A" });
  expect(log.lines).toEqual([{ level: "error", message: "lost", data: { account: "A" } }]);
});

test("only the named methods of a port are steps, and the port works as before", async () => {
  const steps: string[] = [];
  const port = {
    count: 0,
    async add(by: number): Promise<number> {
      this.count += by;
      return this.count;
    },
    kept: (): string => "as it is",
  };
  const tracer = {
    step: <T>(name: string, work: () => Promise<T>): Promise<T> => {
      steps.push(name);
      return work();
    },
    [Symbol.asyncDispose]: async () => {},
  };
  const traced = tracedPort(tracer, port, { add: "adding" });
  expect([await traced.add(2), traced.kept(), port.count]).toEqual([2, "as it is", 2]);
  expect(steps).toEqual(["adding"]);
});
