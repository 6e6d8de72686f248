/**
 * What hostile and broken clients send, byte by byte. Whatever it is: a whole answer in words or a closed connection,
 * and the next request is served.
 */

import { connect } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { serveEachTest } from "../support/control-fixture.ts";
import { ask, sendRaw } from "../support/http-unix.ts";
import { errorOf } from "../support/refusal.ts";

const running = serveEachTest();

const GET = "GET /v1/status HTTP/1.1\r\nHost: k\r\n\r\n";
const POST = "POST /v1/shutdown HTTP/1.1\r\nHost: k\r\n";
const CLOSE = "GET /healthz HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n";

function post(body: string | Buffer): Buffer {
  const bytes = Buffer.from(body as string);
  return Buffer.concat([
    Buffer.from(`${POST}Connection: close\r\nContent-Length: ${bytes.length}\r\n\r\n`),
    bytes,
  ]);
}

function get(target: string): Buffer {
  return Buffer.from(`GET ${target} HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n`, "latin1");
}

describe("a refusal in words for", () => {
  it.each<readonly [why: string, bytes: string | Buffer, status: number, code: string, says: RegExp]>([
    [
      "a Content-Length of 4 GiB",
      `${POST}Content-Length: 4294967296\r\n\r\n`,
      413,
      "body-too-large",
      /1048576/,
    ],
    [
      "one beyond 64 bits",
      `${POST}Content-Length: 99999999999999999999\r\n\r\n`,
      400,
      "bad-request",
      /overflow/i,
    ],
    ["a negative one", `${POST}Content-Length: -1\r\n\r\n`, 400, "bad-request", /Content-Length/],
    ["a hexadecimal one", `${POST}Content-Length: 0x10\r\n\r\n`, 400, "bad-request", /Content-Length/],
    [
      "two of them",
      `${POST}Content-Length: 2\r\nContent-Length: 3\r\n\r\n`,
      400,
      "bad-request",
      /Content-Length/,
    ],
    [
      "a length and chunks",
      `${POST}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n`,
      400,
      "bad-request",
      /Transfer-Encoding|Content-Length/,
    ],
    ["an unknown encoding", `${POST}Transfer-Encoding: gzip\r\n\r\n`, 400, "bad-request", /encoding/i],
    [
      "a chunk of 16 EiB",
      `${POST}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n`,
      400,
      "bad-request",
      /chunk/i,
    ],
    [
      "a chunk of 4 GiB",
      `${POST}Transfer-Encoding: chunked\r\n\r\nffffffff\r\n${" ".repeat(2 * 1024 * 1024)}`,
      413,
      "body-too-large",
      /1048576/,
    ],
    [
      "a chunk that is no number",
      `${POST}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`,
      400,
      "bad-request",
      /chunk/i,
    ],
    [
      "a million chunks of a byte",
      `${POST}Transfer-Encoding: chunked\r\n\r\n${"1\r\n \r\n".repeat(1_000_000)}`,
      413,
      "body-too-large",
      /pieces/,
    ],
    [
      "chunk extensions without end",
      `${POST}Transfer-Encoding: chunked\r\n\r\n1;${"x".repeat(64 * 1024)}`,
      413,
      "body-too-large",
      /extensions/,
    ],
    [
      "trailers without end",
      `${POST}Transfer-Encoding: chunked\r\n\r\n0\r\n${"a: b\r\n".repeat(20_000)}`,
      431,
      "headers-too-large",
      /16384/,
    ],
    [
      "headers without end",
      `GET / HTTP/1.1\r\n${"a: b\r\n".repeat(1_000_000)}`,
      431,
      "headers-too-large",
      /16384/,
    ],
    ["a path without end", `GET /${"x".repeat(1_000_000)}`, 431, "headers-too-large", /16384/],
    ["a header with NUL", "GET / HTTP/1.1\r\nHost: k\0\r\n\r\n", 400, "bad-request", /header/i],
    ["no Host", "GET /v1/status HTTP/1.1\r\nConnection: close\r\n\r\n", 400, "bad-request", /Host/],
    ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "bad-request", /HTTP/],
    ["a proxy request", "CONNECT evil:80 HTTP/1.1\r\nHost: k\r\n\r\n", 405, "wrong-method", /proxy/],
    ["an unknown method", "FROB / HTTP/1.1\r\n\r\n", 400, "bad-request", /method/i],
    [
      "an unknown expectation",
      "GET /v1/status HTTP/1.1\r\nHost: k\r\nConnection: close\r\nExpect: wonders\r\n\r\n",
      417,
      "bad-request",
      /wonders/,
    ],
    ["a path of raw bytes", get("/v1/\xff\xfe"), 400, "bad-request", /url path/],
    [
      "a name in bad UTF-8",
      "POST /v1/protocols/%c3%28/scan HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n",
      400,
      "bad-request",
      /decode/,
    ],
    ["a query of raw bytes", get("/v1/routes?dev=\xff"), 400, "bad-request", /url query/],
    ["a query in bad UTF-8", get("/v1/routes?dev=%ff"), 400, "bad-query", /UTF-8/],
    ["a query with a stray percent sign", get("/v1/routes?dev=5%"), 400, "bad-query", /UTF-8/],
    ["__proto__ in a query", get("/v1/routes?__proto__=1"), 400, "bad-query", /__proto__/],
    [
      "a body in bad UTF-8",
      post(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])),
      400,
      "bad-body",
      /UTF-8/,
    ],
    ["a body in UTF-16", post(Buffer.from('{"keep":true}', "utf16le")), 400, "bad-body", /JSON/],
    [
      "brackets in a text, which are none",
      post(`{"${"[".repeat(99)}\\"{":1}`),
      400,
      "bad-body",
      /Unknown member/,
    ],
    ["__proto__ in a body", post('{"__proto__":{"keep":true}}'), 400, "bad-body", /__proto__/],
    [
      "constructor in a body",
      post('{"constructor":{"prototype":{"keep":true}}}'),
      400,
      "bad-body",
      /constructor/,
    ],
    ["half a million open brackets", post("[".repeat(500_000)), 400, "bad-body", /deep/],
    [
      "half a million nested objects",
      post(`${'{"a":'.repeat(170_000)}1${"}".repeat(170_000)}`),
      400,
      "bad-body",
      /deep/,
    ],
    [
      "half a million nested lists",
      post(`${"[".repeat(500_000)}${"]".repeat(500_000)}`),
      400,
      "bad-body",
      /deep/,
    ],
  ])("%s", async (_why, bytes, status, code, says) => {
    const text = await sendRaw(running.path, bytes);
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    const error = errorOf(text);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(says);
    expect(running.router.shutdowns).toEqual([]);
    expect(({} as Record<string, unknown>)["keep"]).toBeUndefined();
    expect((await ask(running.path, "/healthz")).status).toBe(200);
  });
});

/** Sends all at once, shuts down our side, and resolves with all that comes back. */
function sendAndEnd(bytes: Buffer | string): Promise<string> {
  return new Promise((resolve) => {
    let all = "";
    const socket = connect({ path: running.path, allowHalfOpen: true });
    socket.on("data", (chunk) => (all += chunk.toString("latin1")));
    socket.on("error", () => {});
    socket.on("close", () => resolve(all));
    socket.on("end", () => socket.end());
    socket.end(bytes);
  });
}

describe("any bytes", () => {
  const requests = fc.constantFrom(
    GET,
    CLOSE,
    post('{"keep":true}').toString(),
    `${POST}Transfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n2\r\n1}\r\n0\r\n\r\n`,
    get("/v1/routes?in=0.0.0.0%2F0&all").toString(),
    "POST /v1/protocols/all/scan HTTP/1.1\r\nHost: k\r\n\r\n",
  );
  const mutation = fc.record({
    at: fc.nat(),
    cut: fc.nat(20),
    insert: fc.oneof(
      fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
      fc
        .constantFrom("\r\n", "\r\n\r\n", "\0", "%", ":", " ", "Content-Length: 9\r\n", GET)
        .map((text) => Buffer.from(text)),
    ),
  });

  it("end in answers or an end: a request, mutated and sent with others, harms nobody", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(requests, { minLength: 1, maxLength: 3 }),
        fc.array(mutation, { maxLength: 4 }),
        async (sent, mutations) => {
          let bytes = Buffer.from(sent.join(""));
          for (const { at, cut, insert } of mutations) {
            const start = at % (bytes.length + 1);
            bytes = Buffer.concat([bytes.subarray(0, start), insert, bytes.subarray(start + cut)]);
          }
          const told = await sendAndEnd(bytes);
          expect(told).toMatch(/^($|HTTP\/1\.1 [2345]\d\d )/);
          for (const [, status] of told.matchAll(/^HTTP\/1\.1 (\d+)/gm)) expect(status).not.toBe("500");
        },
      ),
      { numRuns: 400 },
    );
    expect((await ask(running.path, "/healthz")).status).toBe(200);
  });
});

describe("pipelined requests", () => {
  it("are answered one after the other, in order, however many come at once", async () => {
    const paths = Array.from({ length: 2_000 }, (_, i) => `/v1/routes?prefix=10.0.${i >> 8}.${i & 255}/32`);
    const requests = paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: k\r\n\r\n`).join("");
    const text = await sendRaw(running.path, requests + CLOSE);
    const nets = [...text.matchAll(/There is no net (\S+) in/g)].map(([, net]) => `/v1/routes?prefix=${net}`);
    expect(nets).toEqual(paths);
    expect(text).toMatch(/\{"state":"in-sync"\}\n$/);
  });

  it("keep nobody else waiting: between any two of them others are served", async () => {
    const flood = Array.from({ length: 8 }, () => sendRaw(running.path, GET.repeat(3_000) + CLOSE));
    let done = false;
    void Promise.all(flood).then(() => (done = true));
    const times: number[] = [];
    while (!done) {
      const before = performance.now();
      expect((await ask(running.path, "/healthz")).status).toBe(200);
      times.push(performance.now() - before);
    }
    for (const text of await Promise.all(flood)) expect(text.match(/HTTP\/1\.1 200 /g)).toHaveLength(3_001);
    times.sort((a, b) => a - b);
    expect(times[times.length >> 1]).toBeLessThan(50);
  });

  it("wait in the client when nobody reads the answers: no more is taken in than fits", async () => {
    const socket = connect({ path: running.path });
    let taken = 0;
    const chunk = Buffer.from(GET.repeat(1_000));
    const pour = (): void => void socket.write(chunk, () => pour2());
    const pour2 = (): void => {
      taken += chunk.length;
      if (taken < 64 * 1024 * 1024) pour();
    };
    pour();
    let before = -1;
    await expect
      .poll(
        () => {
          const stands = taken === before;
          before = taken;
          return stands;
        },
        { interval: 300, timeout: 10_000 },
      )
      .toBe(true);
    expect(taken).toBeLessThan(4 * 1024 * 1024);
    expect((await ask(running.path, "/healthz")).status).toBe(200);
    socket.destroy();
  });

  it("with garbage behind: the requests are answered, then the garbage is refused", async () => {
    const text = await sendRaw(running.path, `${GET}${GET}\0garbage`);
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 200", "HTTP/1.1 400"]);
  });
});

describe("kernel dumps for clients", () => {
  it("run one at a time, in order; 16 wait, more are refused; for those who left none is begun", async () => {
    const ends: (() => void)[] = [];
    running.router.kernel4.dump = async () => {
      await new Promise<void>((resolve) => ends.push(resolve));
      return null;
    };
    const path = "/v1/kernel?table=master4&count";
    const first = ask(running.path, path);
    await expect.poll(() => ends.length).toBe(1);
    const left = connect({ path: running.path });
    left.write(`GET ${path} HTTP/1.1\r\nHost: k\r\n\r\n`);
    const waiting = Array.from({ length: 15 }, () => ask(running.path, path));
    await expect
      .poll(async () => JSON.parse((await ask(running.path, path)).text))
      .toMatchObject({ error: { code: "too-many-dumps" } });
    expect(ends).toHaveLength(1);
    left.destroy();
    // The daemon hears of that first.
    await new Promise((resolve) => setTimeout(resolve, 1_300));
    for (let done = 0; done < 16; done++) {
      await expect.poll(() => ends.length).toBe(done + 1);
      ends[done]!();
    }
    for (const answer of await Promise.all([first, ...waiting])) expect(answer.text).toBe('{"count":0}\n');
    expect(ends).toHaveLength(16);
  });
});

describe("a client that shuts down its side", () => {
  it.each([
    ["after its request still gets the answer", GET, 200],
    ["in the middle of the headers is told that this was no request", "GET /v1/status HT", 400],
    ["in the middle of the body is told so, too", `${POST}Content-Length: 10\r\n\r\n{`, 400],
  ])("%s", async (_what, bytes, status) => {
    expect(await sendAndEnd(bytes)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(running.router.shutdowns).toEqual([]);
  });
});
