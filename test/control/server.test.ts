import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { MAX_CONNECTIONS } from "../../src/control/connections.ts";
import { HOSTILE_NAME, serveEachTest, startRouter } from "../support/control-fixture.ts";
import { ask, sendRaw } from "../support/http-unix.ts";

const running = serveEachTest();

async function json(path: string, status = 200): Promise<unknown> {
  const answer = await ask(running.path, path);
  expect(answer.status, answer.text).toBe(status);
  return JSON.parse(answer.text);
}

describe("GET", () => {
  it("/v1/status sends the backend's report", async () => {
    expect(await json("/v1/status")).toEqual(running.router.status());
  });

  it("/healthz says 200 while running and 503 while stopping", async () => {
    expect(await json("/healthz")).toEqual({ state: "in-sync" });
    running.router.state = "stopping";
    expect(await json("/healthz", 503)).toEqual({ state: "stopping" });
  });

  it("/metrics tells the counters in Prometheus' text format", async () => {
    const answer = await ask(running.path, "/metrics");
    expect(answer.status).toBe(200);
    const lines = answer.text.trimEnd().split("\n");
    const sample = /^[a-z][a-z0-9_]*(\{[a-z]+="[^"\\\n]*"(,[a-z]+="[^"\\\n]*")*\})? -?[0-9.e+-]+$/;
    expect(lines.filter((line) => !line.startsWith("# ") && !sample.test(line))).toEqual([]);
    const { netlink, counts } = running.router.status();
    expect(lines).toEqual(
      expect.arrayContaining([
        "# TYPE krtd_netlink_overruns_total counter",
        `krtd_netlink_overruns_total ${netlink.overruns}`,
        `krtd_routes ${counts.routes}`,
        "krtd_in_sync 1",
        'krtd_kernel_up{protocol="kernel4"} 1',
      ]),
    );
    expect(answer.text).toMatch(/krtd_kernel_writes_total\{protocol="kernel4",op="add"\} \d+/);
    // Each metric is told of once.
    const types = lines.filter((line) => line.startsWith("# TYPE "));
    expect(new Set(types).size).toBe(types.length);
  });

  it("/v1/tables lists tables with their kernel protocol", async () => {
    expect(await json("/v1/tables")).toEqual([
      {
        name: "master4",
        family: "ipv4",
        netns: null,
        routes: 6,
        nets: 5,
        kernel: { protocol: "kernel4", table: 254, name: "main" },
      },
      {
        name: "master6",
        family: "ipv6",
        netns: null,
        routes: 1,
        nets: 1,
        kernel: { protocol: "kernel6", table: 254, name: "main" },
      },
      { name: "blue4", family: "ipv4", netns: null, routes: 1, nets: 1, kernel: null },
    ]);
  });

  it("/v1/protocols shows a kernel protocol with every counter", async () => {
    const zero = { received: 0, rejected: 0, filtered: 0, ignored: 0, accepted: 0 };
    const traffic = {
      routes: { imported: 1, exported: 0, preferred: 0 },
      changes: {
        "import-updates": { ...zero, received: 1, accepted: 1 },
        "import-withdraws": zero,
        "export-updates": zero,
        "export-withdraws": zero,
      },
    };
    expect(await json("/v1/protocols?name=kernel4")).toEqual([
      {
        name: "kernel4",
        type: "kernel",
        table: "master4",
        tables: ["master4"],
        netns: null,
        state: "up",
        disabled: false,
        since: "2026-11-21T02:00:00.000Z",
        info: "",
        ...traffic,
        channels: [{ table: "master4", import: "all", export: "all", ...traffic }],
        kernel: {
          table: 254,
          scan: {
            state: "idle",
            count: 12,
            incomplete: 0,
            "last-at": "2026-11-21T02:00:00.000Z",
            "last-duration-ms": 7.1,
            "last-problem": null,
            routes: 1003,
          },
          writes: { add: 3, replace: 0, delete: 0, errors: { ENETUNREACH: 2 } },
          withheld: 0,
          queued: 0,
          waiting: 0,
          failed: 0,
          learned: 0,
          contested: 0,
          drift: { repaired: 1 },
        },
      },
    ]);
  });

  it("/v1/protocols takes globs, and 404 for no match", async () => {
    const names = (await json("/v1/protocols?name=kernel*")) as { name: string }[];
    expect(names.map(({ name }) => name)).toEqual(["kernel4", "kernel6"]);
    expect(await json("/v1/protocols?name=nope", 404)).toMatchObject({ error: { code: "no-such-protocol" } });
  });

  it("/v1/interfaces keeps a hostile name whole and its answer ASCII", async () => {
    const answer = await ask(running.path, "/v1/interfaces");
    expect(answer.text).toMatch(/^[\n\x20-\x7e]*$/);
    const [lo, eth0, hostile] = JSON.parse(answer.text);
    expect(lo).toMatchObject({ ifindex: 1, loopback: true, up: false, flags: ["loopback"] });
    expect(eth0).toEqual({
      ifindex: 2,
      name: "eth0",
      up: true,
      "admin-up": true,
      "link-up": true,
      loopback: false,
      mtu: 1500,
      mac: "02:00:00:00:00:01",
      kind: "veth",
      master: null,
      flags: ["broadcast", "multicast"],
      addresses: [
        { address: "192.0.2.10/24", peer: null, scope: "global", flags: [], preferred: true },
        { address: "fe80::1/64", peer: null, scope: "link", flags: ["tentative"], preferred: false },
      ],
    });
    expect(hostile).toMatchObject({ name: HOSTILE_NAME, master: "eth0", up: false });
  });

  it("/v1/interfaces?name= finds one or says 404", async () => {
    expect(await json("/v1/interfaces?name=eth0")).toHaveLength(1);
    expect(await json("/v1/interfaces?name=eth7", 404)).toMatchObject({
      error: { code: "no-such-interface" },
    });
  });
});

describe("POST", () => {
  it("/v1/shutdown answers first, then stops the daemon", async () => {
    const answer = await ask(running.path, "/v1/shutdown", { method: "POST", body: '{"keep":true}' });
    expect(answer.status).toBe(202);
    expect(JSON.parse(answer.text)).toEqual({ stopping: true, keep: true, observe: false });
    await expect.poll(() => running.router.shutdowns).toEqual([{ keep: true }]);
  });

  it("/v1/shutdown without a body does not keep", async () => {
    await ask(running.path, "/v1/shutdown", { method: "POST" });
    await expect.poll(() => running.router.shutdowns).toEqual([{ keep: false }]);
  });

  it.each([
    ['{"keep":1}', "a number is no boolean"],
    ['{"kepp":true}', "unknown member"],
    ["[]", "not an object"],
    ["{", "not JSON"],
  ])("/v1/shutdown refuses the body %s: %s", async (body) => {
    const answer = await ask(running.path, "/v1/shutdown", { method: "POST", body });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text)).toMatchObject({ error: { code: "bad-body" } });
    expect(running.router.shutdowns).toEqual([]);
  });

  it.each([
    ["kernel4", ["kernel4"]],
    ["kernel%2A", ["kernel4", "kernel6"]],
    ["all", ["device1", "kernel4", "kernel6"]],
  ])("/v1/protocols/%s/scan starts %j", async (name, started) => {
    const answer = await ask(running.path, `/v1/protocols/${name}/scan`, { method: "POST" });
    expect(answer.status, answer.text).toBe(200);
    expect(JSON.parse(answer.text)).toEqual({ started });
    expect(running.router.scans).toEqual(started);
  });

  it("/v1/protocols/NAME/scan hands on that it is to delete by force", async () => {
    const body = JSON.stringify({ force: true });
    const answer = await ask(running.path, "/v1/protocols/kernel4/scan", { method: "POST", body });
    expect(answer.status).toBe(200);
    expect(running.router.scans).toEqual(["kernel4 by force"]);
    const wrong = JSON.stringify({ force: "yes" });
    expect(
      (await ask(running.path, "/v1/protocols/kernel4/scan", { method: "POST", body: wrong })).status,
    ).toBe(400);
  });

  it("/v1/protocols/NAME/scan tells unknown names from those that cannot scan", async () => {
    const unknown = await ask(running.path, "/v1/protocols/nope/scan", { method: "POST" });
    expect(unknown.status).toBe(404);
    const unable = await ask(running.path, "/v1/protocols/uplinks/scan", { method: "POST" });
    expect(unable.status).toBe(409);
    expect(JSON.parse(unable.text)).toMatchObject({ error: { code: "cannot-scan" } });
  });
});

describe("refusals", () => {
  it("404 for an unknown path, as JSON", async () => {
    expect(await json("/v2/status", 404)).toMatchObject({ error: { code: "no-such-path" } });
    expect(await json("/v1/protocols//scan", 404)).toMatchObject({ error: { code: "no-such-path" } });
  });

  it("405 with Allow for a wrong method", async () => {
    const answer = await ask(running.path, "/v1/status", { method: "DELETE" });
    expect(answer.status).toBe(405);
    expect(answer.headers.allow).toBe("GET");
    expect((await ask(running.path, "/v1/shutdown")).headers.allow).toBe("POST");
  });

  it.each([
    ["/v1/routes?foo=1", "unknown parameter"],
    ["/v1/routes?table=master4&table=blue4", "given twice"],
    ["/v1/routes?prefix=192.0.2.1/24", "host bits"],
    ["/v1/routes?prefix=192.0.2.1", "an address is no prefix"],
    ["/v1/routes?for=192.0.2.0/24", "a prefix is no address"],
    ["/v1/routes?state=fine", "unknown state"],
    ["/v1/routes?type=local", "unknown type"],
    ["/v1/routes?all=perhaps", "no flag"],
    ["/v1/routes?dev=", "empty"],
    ["/v1/routes?for=192.0.2.1&in=192.0.2.0/24", "exclude each other"],
    ["/v1/kernel?class=mine", "unknown class"],
    ["/v1/status?x", "takes none"],
  ])("400 for %s: %s", async (path) => {
    expect(await json(path, 400)).toMatchObject({ error: { code: "bad-query" } });
  });

  it("sends lists to HTTP/1.0 clients too, which know no trailers", async () => {
    for (const request of ["GET /v1/tables HTTP/1.0\r\n\r\n", "GET /v1/tables\r\n\r\n"]) {
      const told = await sendRaw(running.path, request);
      expect(told).toMatch(/^HTTP\/1.1 200 /);
      expect(JSON.parse(told.slice(told.indexOf("\r\n\r\n")))).toHaveLength(3);
    }
  });

  it("400 for a body on a GET and for an undecodable name", async () => {
    const body = "GET /v1/status HTTP/1.1\r\nHost: k\r\nContent-Length: 2\r\n\r\n{}";
    expect(await sendRaw(running.path, body)).toMatch(/^HTTP\/1.1 400 [\s\S]*takes no body/);
    expect((await ask(running.path, "/v1/protocols/%ff/scan", { method: "POST" })).status).toBe(400);
  });

  it("413 for a body over 1 MiB, announced or not", async () => {
    const announced = "POST /v1/shutdown HTTP/1.1\r\nHost: k\r\nContent-Length: 1048577\r\n\r\n";
    expect(await sendRaw(running.path, announced)).toMatch(/^HTTP\/1.1 413 /);
    const head = "POST /v1/shutdown HTTP/1.1\r\nHost: k\r\nTransfer-Encoding: chunked\r\n\r\n";
    const chunk = `100000\r\n${" ".repeat(0x100000)}\r\n`;
    expect(await sendRaw(running.path, `${head}${chunk}${chunk}0\r\n\r\n`)).toMatch(/^HTTP\/1.1 413 /);
  });

  it("431 for headers over 16 KiB", async () => {
    const text = await sendRaw(running.path, `GET /healthz HTTP/1.1\r\nX: ${"x".repeat(20_000)}\r\n\r\n`);
    expect(text).toMatch(/^HTTP\/1.1 431 /);
  });

  it.each([
    ["\0\x01\x02\r\n\r\n", "binary"],
    ["GET / HTTP/9.9\r\n\r\n", "a version nobody speaks"],
    ["GET http://[/ HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n", "no path"],
    ["OPTIONS * HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n", "an asterisk"],
    ["\x16\x03\x01\x02\x00\x01\x00", "TLS"],
  ])("400 and no harm for garbage: %j (%s)", async (bytes) => {
    expect(await sendRaw(running.path, bytes)).toMatch(/^HTTP\/1.1 400 /);
    expect((await ask(running.path, "/healthz")).status).toBe(200);
  });

  it("503 for connections beyond the limit, and service again once some left", async () => {
    const sockets = Array.from({ length: MAX_CONNECTIONS }, () => connect({ path: running.path }));
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.on("connect", resolve))));
    const refused = await ask(running.path, "/healthz");
    expect(refused.status).toBe(503);
    expect(JSON.parse(refused.text)).toMatchObject({ error: { code: "too-many-connections" } });
    for (const socket of sockets) socket.destroy();
    await expect.poll(async () => (await ask(running.path, "/healthz")).status).toBe(200);
  });

  it("500 and a log line for what a handler throws; the next request is served", async () => {
    running.router.status = () => {
      throw new Error("boom");
    };
    expect(await json("/v1/status", 500)).toMatchObject({ error: { code: "internal" } });
    expect((await ask(running.path, "/v1/tables")).status).toBe(200);
  });
});

describe("deadlines", () => {
  it("answers 408 to headers that never end and drops a silent connection", async () => {
    const slow = await startRouter(running.router, {
      deadlines: { headersMs: 100, requestMs: 200, keepAliveMs: 100, stallMs: 200, progressMs: 50 },
    });
    try {
      expect(await sendRaw(slow.path, "GET /healthz HTTP/1.1\r\nX: ")).toMatch(/^HTTP\/1.1 408 /);
      expect(await sendRaw(slow.path, "")).toMatch(/^(HTTP\/1.1 408 |$)/);
      const body = "POST /v1/shutdown HTTP/1.1\r\nHost: k\r\nContent-Length: 10\r\n\r\n{";
      expect(await sendRaw(slow.path, body)).toMatch(/^HTTP\/1.1 408 /);
    } finally {
      await slow.stop();
    }
  });

  it("close() does not wait for idle connections and frees the path", async () => {
    const idle = connect({ path: running.path });
    await new Promise((resolve) => idle.on("connect", resolve));
    const closed = new Promise((resolve) => idle.on("close", resolve));
    await running.server.close();
    await closed;
    await expect(ask(running.path, "/healthz")).rejects.toMatchObject({ code: "ENOENT" });
  });
});
