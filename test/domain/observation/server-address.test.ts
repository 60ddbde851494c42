import { describe, expect, test } from "@jest/globals";
import { hostAndPort, readServerAddress } from "../../../lib/domain/observation/server-address.ts";

describe("a server's address", () => {
  test.each([
    ["a", "a:4222", false],
    ["a:4223", "a:4223", false],
    ["nats://ho_st", "ho_st:4222", false],
    ["TLS://nats.example:80", "nats.example:80", true],
    ["tls://nats.example/", "nats.example:4222", true],
    ["nats://[::1]:4223", "[::1]:4223", false],
    ["[fe80::1]", "[fe80::1]:4222", false],
    ["tls://10.0.0.1", "10.0.0.1:4222", true],
  ])("%s", (text, where, tls) => {
    const read = readServerAddress(text);
    if (!read.ok) throw new Error(read.problem);
    expect(hostAndPort(read.address)).toBe(where);
    expect(read.address.tls).toBe(tls);
  });

  test.each([
    ["", /write nats:\/\/HOST:PORT/],
    ["::1", /IPv6 address in brackets/],
    ["nats://a:99999", /not a server's address/],
    ["nats://a:0", /not one server's address/],
    ["nats://a,nats://b", /not one server's address/],
    ["nats://a,b:4222", /not one server's address/],
    ["nats://a/b", /not one server's address/],
    ["nats://<hub>:4222", /not a server's address/],
    ["wss://a:443", /a WebSocket address.*tls:\/\/HOST:PORT/],
    ["WS://a", /a WebSocket address/],
    ["http://a:8222", /an HTTP address.*cluster\.monitoring/],
    ["https://a", /an HTTP address/],
    ["amqp://a", /begins with amqp:\/\//],
    ["nats://user:hunter2@a", /contains a user or a token.*systemCredentials/],
    ["hunter2@a:4222", /contains a user or a token/],
    ["wss://user:hunter2@a", /contains a user or a token/],
  ])("%s is refused, and no password is repeated", (text, problem) => {
    const read = readServerAddress(text);
    if (read.ok) throw new Error(JSON.stringify(read.address));
    expect(read.problem).toMatch(problem);
    expect(read.problem).not.toContain("hunter2");
  });
});
