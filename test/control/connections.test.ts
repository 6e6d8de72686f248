/** Who is served when more come than there are places, and who has to leave. */

import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { serveEachTest } from "../support/control-fixture.ts";
import { ask } from "../support/http-unix.ts";
import { errorOf } from "../support/refusal.ts";

const running = serveEachTest();

const GET = "GET /v1/status HTTP/1.1\r\nHost: k\r\n\r\n";
const POST = "POST /v1/shutdown HTTP/1.1\r\nHost: k\r\n";
const CLOSE = "GET /healthz HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n";

describe("places", () => {
  const sockets: Socket[] = [];

  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
  });

  /** Opens a connection that says `words` and nothing more; resolves with it, and with what it was told so far. */
  async function open(words: string): Promise<{ readonly socket: Socket; told: string; closed: boolean }> {
    const socket = connect({ path: running.path });
    const opened = { socket, told: "", closed: false };
    sockets.push(socket);
    socket.on("error", () => {});
    socket.on("data", (bytes) => (opened.told += bytes.toString()));
    socket.on("close", () => (opened.closed = true));
    await new Promise((resolve) => socket.on("connect", resolve));
    if (words !== "") socket.write(words);
    return opened;
  }

  it.each([
    ["that say nothing", ""],
    ["with half a request line", "GET /v1/st"],
    ["with half the headers", "GET /v1/status HTTP/1.1\r\nHost: k\r\nX-"],
    ["with half a body", `${POST}Content-Length: 10\r\n\r\n{`],
  ])("of 64 clients %s are given away after half a second", async (_why, words) => {
    const silent = await Promise.all(Array.from({ length: 64 }, () => open(words)));
    const start = performance.now();
    await expect.poll(async () => (await ask(running.path, "/healthz")).status, { timeout: 5_000 }).toBe(200);
    expect(performance.now() - start).toBeLessThan(2_500);
    const gone = silent.filter(({ told }) => told.includes("HTTP/1.1 408"));
    expect(gone.length).toBeGreaterThanOrEqual(1);
    for (const { told } of gone) errorOf(told.slice(told.indexOf("HTTP/1.1 408")));
  });

  it("of 64 clients between two requests are given away at once", async () => {
    const idle = await Promise.all(Array.from({ length: 64 }, () => open(GET)));
    await expect.poll(() => idle.every(({ told }) => told.includes("200 OK"))).toBe(true);
    expect((await ask(running.path, "/healthz")).status).toBe(200);
    await expect.poll(() => idle.filter(({ closed }) => closed).length).toBe(1);
  });

  it("1,000 connections at once: 64 are served, the others are refused at once and in words", async () => {
    const opened = await Promise.all(Array.from({ length: 1_000 }, () => open("")));
    // 408: on a machine so busy that this takes half a second, the first ones have been silent for too long.
    const refused = (): typeof opened => opened.filter(({ told }) => /^HTTP\/1\.1 (503|408)/.test(told));
    await expect.poll(() => refused().length, { timeout: 10_000 }).toBe(1_000 - 64);
    for (const { told } of refused()) {
      expect(errorOf(told).code).toBe(told.includes(" 503 ") ? "too-many-connections" : "request-timeout");
    }
    // They do not go; after a second they are closed.
    await expect.poll(() => refused().every(({ closed }) => closed), { timeout: 10_000 }).toBe(true);
    const served = opened.filter(({ told }) => told === "");
    for (const { socket } of served) socket.write(CLOSE);
    await expect.poll(() => served.filter(({ told }) => told.includes("200 OK")).length).toBe(64);
    expect((await ask(running.path, "/healthz")).status).toBe(200);
  });

  it("of clients that are being worked for are not given away", async () => {
    let finish = (): void => {};
    const work = new Promise<void>((resolve) => (finish = resolve));
    running.router.act = () => work.then(() => null);
    const request = "POST /v1/protocols/kernel4/reload HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n";
    const working = await Promise.all(Array.from({ length: 64 }, () => open(request)));
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect((await ask(running.path, "/healthz")).status).toBe(503);
    finish();
    await expect.poll(() => working.filter(({ told }) => told.includes("200 OK")).length).toBe(64);
  });

  it("of clients that ask without end go to newcomers, and what is being answered is answered whole", async () => {
    const busy = await Promise.all(Array.from({ length: 64 }, () => open(GET.repeat(20_000))));
    for (let i = 0; i < 8; i++) expect((await ask(running.path, "/healthz")).status).toBe(200);
    await expect.poll(() => busy.filter(({ closed }) => closed).length).toBeGreaterThanOrEqual(1);
    for (const { told } of busy.filter(({ closed }) => closed)) expect(told).toMatch(/\}\n$/);
  });

  it("are left for short questions when many ask for lists", async () => {
    for (let i = 0; i < 20_000; i++) {
      running.router.route("uplinks", `11.${i >> 8}.${i & 255}.0/24`, { hops: [{ device: 2 }] });
    }
    // Not read: each of them is a list that is being sent for ever.
    const lists = Array.from({ length: 48 }, () => connect({ path: running.path }).pause());
    sockets.push(...lists);
    for (const socket of lists) socket.write("GET /v1/routes HTTP/1.1\r\nHost: k\r\n\r\n");
    await expect.poll(async () => (await ask(running.path, "/v1/routes?count")).status).toBe(503);
    const refused = await ask(running.path, "/v1/routes?count");
    expect(JSON.parse(refused.text)).toMatchObject({ error: { code: "too-many-lists" } });
    expect((await ask(running.path, "/v1/status")).status).toBe(200);
    for (const socket of lists) socket.destroy();
    await expect.poll(async () => (await ask(running.path, "/v1/routes?count")).status).toBe(200);
  });
});
