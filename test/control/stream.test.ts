import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ERROR_TRAILER } from "../../src/control/record-stream.ts";
import { makeRouter, type Router, type Running, startRouter } from "../support/control-fixture.ts";
import { ask } from "../support/http-unix.ts";

const TOTAL = 200_000;
const MEGABYTE = 1024 * 1024;

let router: Router;
let running: Running;

beforeAll(async () => {
  router = await makeRouter();
  const channel = router.channels.get("uplinks")!;
  for (let i = 0; i < TOTAL; i++) {
    const attrs = router.intern({ hops: [{ via: `192.0.2.${i % 50}`, device: 2 }] });
    channel.importRoute((0x0b000000 + (i << 8)) | 0, 0, 0, 0, 24, attrs, 0);
  }
  running = await startRouter(router, {
    deadlines: {
      headersMs: 10_000,
      requestMs: 10_000,
      keepAliveMs: 10_000,
      stallMs: 1_000,
      progressMs: 1_000,
    },
  });
});

afterAll(async () => {
  await running.stop();
});

function collectGarbage(): void {
  setFlagsFromString("--expose_gc");
  (runInNewContext("gc") as () => void)();
}

/** Asks for every route and does not read. */
function begin(): Promise<{ asked: ClientRequest; response: IncomingMessage }> {
  return new Promise((resolve, reject) => {
    const headers = { accept: "application/x-ndjson" };
    const asked = request({ socketPath: running.path, path: "/v1/routes", headers, agent: false });
    asked.on("response", (response) => resolve({ asked, response }));
    asked.on("error", reject);
    asked.end();
  });
}

async function countLines(response: IncomingMessage): Promise<number> {
  let lines = 0;
  for await (const chunk of response) for (const byte of chunk as Buffer) if (byte === 0x0a) lines++;
  return lines;
}

describe("a list of 200,000 routes", () => {
  it("is complete, and the daemon's heap does not grow with it while the reader pauses", async () => {
    collectGarbage();
    const before = process.memoryUsage();
    const { response } = await begin();
    // Nobody reads: the walk must come to rest with little made, within the time it takes to drop us.
    await new Promise((resolve) => setTimeout(resolve, 150));
    collectGarbage();
    const paused = process.memoryUsage();
    const grown = paused.heapUsed + paused.external - before.heapUsed - before.external;
    expect(grown).toBeLessThan(4 * MEGABYTE);
    expect(await countLines(response)).toBe(TOTAL);
  });

  it("is cut off for a client that reads nothing, and the daemon serves on", async () => {
    const { response } = await begin();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await expect(countLines(response)).rejects.toMatchObject({ code: "ECONNRESET" });
    expect((await ask(running.path, "/v1/routes?count")).text).toBe(`{"count":${TOTAL}}\n`);
  });

  it("stops being made when the client leaves", async () => {
    const original = router.kernel4.status;
    let made = 0;
    router.kernel4.status = (node) => {
      made++;
      return original.call(router.kernel4, node);
    };
    const { asked } = await begin();
    asked.destroy();
    await new Promise((resolve) => setTimeout(resolve, 200));
    router.kernel4.status = original;
    expect(made).toBeLessThan(TOTAL / 4);
  });

  it("leaves the event loop free for other requests", async () => {
    const list = begin().then(({ response }) => countLines(response));
    let served = 0;
    let done = false;
    void list.finally(() => {
      done = true;
    });
    while (!done) {
      await ask(running.path, "/healthz");
      served++;
    }
    expect(await list).toBe(TOTAL);
    // A walk without yields would let one request in at its start and one at its end.
    expect(served).toBeGreaterThan(10);
  });

  it("that fails in the middle says why in the trailer and leaves the array open", async () => {
    const original = router.kernel4.status;
    let left = TOTAL / 2;
    router.kernel4.status = (node) => {
      if (left-- === 0) throw new Error("boom");
      return original.call(router.kernel4, node);
    };
    const answer = await ask(running.path, "/v1/routes");
    router.kernel4.status = original;
    expect(answer.status).toBe(200);
    expect(() => JSON.parse(answer.text)).toThrow();
    const trailer = answer.trailers[ERROR_TRAILER.toLowerCase()];
    expect(JSON.parse(trailer ?? "")).toMatchObject({ error: { code: "internal" } });
  });
});
