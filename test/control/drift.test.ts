import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DriftJson } from "../../src/control/json.ts";
import type { DriftRecord } from "../../src/nest/protocol.ts";
import { makeRouter, prefixOf, type Router, type Running, startRouter } from "../support/control-fixture.ts";
import { ask } from "../support/http-unix.ts";

let router: Router;
let running: Running;

function record(at: number, dst: string, more: Partial<DriftRecord> = {}): DriftRecord {
  return {
    at: Date.UTC(2026, 10, 21, 2, 0, at),
    protocol: prefixOf(dst).family === 4 ? "kernel4" : "kernel6",
    prefix: prefixOf(dst),
    metric: 32,
    kind: "deleted",
    seenBy: "event",
    port: 1234,
    before: null,
    after: null,
    reaction: "repaired",
    ...more,
  };
}

beforeEach(async () => {
  router = await makeRouter();
  const attrs = router.attrs.describe(router.intern({ hops: [{ via: "192.0.2.9", device: 2 }], mtu: 1400 }));
  router.kernel4.drift.push(
    record(1, "10.0.0.0/8"),
    record(3, "10.0.0.0/8", { kind: "changed", after: attrs, seenBy: "scan", port: null, reaction: "left" }),
    record(5, "0.0.0.0/0"),
  );
  router.kernel6.drift.push(record(2, "::/0"), record(4, "2001:db8::/32", { port: 0, reaction: "scan" }));
  running = await startRouter(router);
});

afterEach(async () => {
  await running.stop();
});

async function get(path: string, status = 200): Promise<unknown> {
  const answer = await ask(running.path, path);
  expect(answer.status, answer.text).toBe(status);
  return JSON.parse(answer.text);
}

describe("GET /v1/drift", () => {
  it("lists what all kernel protocols remember, by time", async () => {
    const list = (await get("/v1/drift")) as DriftJson[];
    expect(list.map(({ at }) => at.slice(17, 19))).toEqual(["01", "02", "03", "04", "05"]);
    expect(list[2]).toEqual({
      at: "2026-11-21T02:00:03.000Z",
      protocol: "kernel4",
      table: 254,
      dst: "10.0.0.0/8",
      metric: 32,
      kind: "changed",
      "seen-by": "scan",
      port: null,
      before: null,
      after: { type: "unicast", gateway: "192.0.2.9", dev: "eth0", mtu: 1400, flags: [] },
      reaction: "left",
    });
    expect(list[3]).toMatchObject({ dst: "2001:db8::/32", port: 0, before: null, reaction: "scan" });
  });

  it.each([
    ["prefix=10.0.0.0/8", 2, "that net"],
    ["prefix=default", 2, "both families"],
    ["prefix=11.0.0.0/8", 0, "nothing happened to it"],
    ["protocol=kernel6", 2, "of one protocol"],
    ["protocol=kernel4&prefix=default", 1, "both"],
  ])("?%s selects %i: %s", async (query, count) => {
    expect(await get(`/v1/drift?${query}`)).toHaveLength(count);
    expect(await get(`/v1/drift?${query}&count`)).toEqual({ count });
  });

  it("tells what cannot be selected", async () => {
    expect(await get("/v1/drift?protocol=nope", 404)).toMatchObject({ error: { code: "no-such-protocol" } });
    expect(await get("/v1/drift?protocol=uplinks", 404)).toMatchObject({ error: { code: "not-kernel" } });
    expect(await get("/v1/drift?prefix=10.0.0.1/8", 400)).toMatchObject({ error: { code: "bad-query" } });
    expect(await get("/v1/drift?since=1", 400)).toMatchObject({ error: { code: "bad-query" } });
  });
});
