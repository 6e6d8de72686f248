import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { KrtdError } from "../../src/lib/errors.ts";
import { Interfaces } from "../../src/nest/iface.ts";
import { FakeKernel, serveEachTest } from "../support/control-fixture.ts";
import { type Ran, type RunOptions, runKrtctl } from "../support/run-krtctl.ts";

const running = serveEachTest();

function krtctl(line: string, options?: RunOptions): Promise<Ran> {
  return runKrtctl(["-s", running.path, ...(line === "" ? [] : line.split(" "))], options);
}

const ROUTES_ON_A_PIPE = String.raw`default via 192.0.2.1 dev eth0 metric 32 [uplinks] synced
blackhole 10.0.0.0/8 metric 32 [uplinks] synced
172.16.0.0/12 dev e\x1b[31m\xff\x20\\0 metric 32 [uplinks] waiting: Network is down (ENETDOWN), 3 attempts, next try in 12 s
198.51.100.0/24 via 192.0.2.1 dev eth0 src 192.0.2.10 metric 50 mtu 1400 onlink [uplinks] failed: File exists (EEXIST), rival: 198.51.100.0/24 proto boot metric 50
203.0.113.0/24 metric 32 nexthop via 192.0.2.2 dev eth0 weight 1 nexthop via 192.0.2.3 dev eth0 weight 3 [uplinks] synced
2001:db8::/32 via fe80::99 dev eth0 metric 32 [uplinks6] synced
192.0.2.0/24 dev eth0 metric 7 table blue4 [lab] none: no kernel protocol on this table
`;

const ROUTES_ON_A_TERMINAL = String.raw`default               via 192.0.2.1 dev eth0    metric 32                                 [uplinks]   synced
blackhole 10.0.0.0/8                            metric 32                                 [uplinks]   synced
172.16.0.0/12         dev e\x1b[31m\xff\x20\\0  metric 32                                 [uplinks]   waiting: Network is down (ENETDOWN), 3 attempts, next try in 12 s
198.51.100.0/24       via 192.0.2.1 dev eth0    src 192.0.2.10 metric 50 mtu 1400 onlink  [uplinks]   failed: File exists (EEXIST), rival: 198.51.100.0/24 proto boot metric 50
203.0.113.0/24                                  metric 32                                 [uplinks]   synced
    nexthop via 192.0.2.2 dev eth0 weight 1
    nexthop via 192.0.2.3 dev eth0 weight 3
2001:db8::/32         via fe80::99 dev eth0     metric 32                                 [uplinks6]  synced
192.0.2.0/24          dev eth0                  metric 7 table blue4                      [lab]       none: no kernel protocol on this table
7 routes: 4 synced, 1 waiting, 1 failed, 1 none
`;

describe("krtctl show routes", () => {
  it("prints one record a line on a pipe", async () => {
    expect(await krtctl("show routes --no-legend")).toEqual({ code: 0, out: ROUTES_ON_A_PIPE, err: "" });
  });

  it("prints aligned columns and a count on a terminal", async () => {
    expect((await krtctl("--color never sh ro", { terminal: true })).out).toBe(ROUTES_ON_A_TERMINAL);
  });

  it("colours on a terminal, unless NO_COLOR or --color never, and always when told", async () => {
    const coloured = (await krtctl("show routes", { terminal: true })).out;
    expect(coloured).toContain("\x1b[32msynced\x1b[0m");
    const stripped = coloured.replaceAll(new RegExp(`${String.fromCharCode(27)}\\[[0-9]+m`, "g"), "");
    expect(stripped).toBe(ROUTES_ON_A_TERMINAL);
    const options = { terminal: true, env: { NO_COLOR: "1" } };
    expect((await krtctl("show routes", options)).out).toBe(ROUTES_ON_A_TERMINAL);
    expect((await krtctl("show routes --color always")).out).toContain("\x1b[31mfailed");
    expect((await krtctl("show routes")).out).not.toContain("\x1b");
  });

  it("--json is the array of the API, --ndjson one object a line", async () => {
    const array = JSON.parse((await krtctl("show routes all --json")).out);
    expect(array).toHaveLength(8);
    expect(array[0]).toEqual({
      table: "master4",
      dst: "0.0.0.0/0",
      type: "unicast",
      gateway: "192.0.2.1",
      dev: "eth0",
      metric: 32,
      flags: [],
      source: "uplinks",
      "source-type": "static",
      preference: 200,
      best: true,
      since: expect.stringMatching(/^20.*Z$/),
      kernel: {
        protocol: "kernel4",
        table: 254,
        metric: 32,
        state: "synced",
        errno: null,
        message: null,
        attempts: 0,
        "next-retry": null,
      },
    });
    const lines = (await krtctl("show routes all --ndjson")).out.trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toEqual(array);
  });

  it.each([
    ["for 198.51.100.7", "198.51.100.0/24"],
    ["for 8.8.8.8", "default"],
    ["203.0.113.0/24", "203.0.113.0/24"],
    ["in 198.0.0.0/8", "198.51.100.0/24"],
    ["state waiting", "172.16.0.0/12"],
    ["type blackhole", "blackhole 10.0.0.0/8"],
    ["table blue4", "192.0.2.0/24"],
    ["protocol lab", "192.0.2.0/24"],
    ["via 192.0.2.3", "203.0.113.0/24"],
    [String.raw`dev e\x1b[31m\xff\x20\\0`, "172.16.0.0/12"],
  ])("%s shows only %s", async (selectors, dst) => {
    const { out } = await krtctl(`--no-legend show routes ${selectors}`);
    expect(out).toMatch(/^[^\n]+\n$/);
    expect(out.startsWith(`${dst} `)).toBe(true);
  });

  it("count prints the number, or an object with --json", async () => {
    expect((await krtctl("show routes count")).out).toBe("7\n");
    expect((await krtctl("show routes count all --ndjson")).out).toBe('{"count":8}\n');
  });

  it("an empty list is [] as JSON and a count as text", async () => {
    expect((await krtctl("show routes state contested -j")).out).toBe("[]\n");
    expect((await krtctl("show routes state contested")).out).toBe("0 routes\n");
  });
});

describe("krtctl, other lists", () => {
  it("show kernel gives the kernel's view with class and verdict, and numbers with -N", async () => {
    const { kernel4 } = running.router;
    running.router.kernelRoute(kernel4, "203.0.113.0/24", { hops: [{ via: "192.0.2.1", device: 2 }] });
    running.router.kernelRoute(
      kernel4,
      "192.0.2.0/24",
      { hops: [{ device: 2 }], prefsrc: "192.0.2.10", metric: 0 },
      { protocol: 2, class: "kernel", scope: 253, verdict: "ignore", table: 255 },
    );
    expect((await krtctl("show kernel")).out).toBe(
      "203.0.113.0/24 via 192.0.2.1 dev eth0 metric 32 proto krtd [ours] seen\n" +
        "192.0.2.0/24 dev eth0 src 192.0.2.10 proto kernel scope link table local [kernel] ignore\n" +
        "2 kernel routes: 1 ours, 1 kernel\n",
    );
    expect((await krtctl("show kernel -N protocol kernel")).out).toContain("proto 2 scope link table 255 ");
    expect((await krtctl("show kernel for 192.0.2.77 --no-legend")).out).toMatch(/^192.0.2.0\/24 .*\n$/);
    expect((await krtctl("show kernel table main count")).out).toBe("2\n");
    expect((await krtctl("show kernel table 1000")).code).toBe(6);
  });

  it("show kernel says that a dump was not complete, and exits 1", async () => {
    running.router.kernel4.problem = "interrupted";
    const ran = await krtctl("show kernel");
    expect(ran.code).toBe(1);
    expect(ran.err).toContain("kernel table 254, IPv4: interrupted");
  });

  it("show kernel says which table cannot be dumped at all, exits 1, and shows the others when asked for them", async () => {
    running.router.kernel4.dump = async () => {
      throw new KrtdError("closed", "the namespace is gone");
    };
    running.router.kernelRoute(running.router.kernel6, "2001:db8::/32", { hops: [{ device: 2 }] });
    const ran = await krtctl("show kernel");
    expect(ran.code).toBe(1);
    expect(ran.err).toContain("kernel table 254, IPv4: the namespace is gone");
    expect((await krtctl("show kernel table master6")).out).toContain("2001:db8::/32 dev eth0");
  });

  it("show static shows the configured routes and how each stands", async () => {
    const [entry] = running.router.entries.filter(({ protocol }) => protocol.name === "uplinks");
    const attrs = running.router.attrs.describe(
      running.router.master4.attrsOf(running.router.master4.best(1)),
    );
    const route = (w0: number, length: number) => ({
      prefix: { family: 4 as const, w0, w1: 0, w2: 0, w3: 0, length },
      attrs,
      recursive: null,
      metric: null,
      preference: 200,
    });
    const routes = [route(0, 0), route(0x0b000000, 8)];
    Object.assign(entry!.protocol, { static: { count: 2, route: (i: number) => routes[i] } });
    expect((await krtctl("show static uplinks")).out).toBe(
      "default via 192.0.2.1 dev eth0 [uplinks] synced\n" +
        "11.0.0.0/8 via 192.0.2.1 dev eth0 [uplinks] not in the table: it is about to be announced\n" +
        "2 static routes: 1 synced, 1 not in the table\n",
    );
    expect((await krtctl("show static count")).out).toBe("2\n");
    expect((await krtctl("show static kernel4")).code).toBe(6);
  });

  it("show protocols, interfaces, tables have headings unless --no-legend", async () => {
    const protocols = await krtctl("show protocols");
    expect(protocols.out).toMatch(
      /^NAME TYPE TABLE STATE SINCE IMPORTED EXPORTED INFO\ndevice1 device - up /,
    );
    expect((await krtctl("show protocols kernel* --no-legend")).out.split("\n")).toHaveLength(3);
    const all = await krtctl("show protocols all kernel4", { terminal: true });
    expect(all.out).toContain(
      "    writes: 3 added, 0 replaced, 0 deleted, 0 queued, errors: 2 ENETUNREACH\n",
    );
    const summary = await krtctl("show interfaces summary");
    expect(summary.out).toBe(
      "NAME STATE ADDRESSES\nlo loopback -\neth0 up 192.0.2.10/24 fe80::1/64\n" +
        "e\\x1b[31m\\xff\\x20\\\\0 admin-down -\n",
    );
    expect((await krtctl("show interfaces eth0 --no-legend")).out).toBe(
      "eth0 up 2 1500 veth - 02:00:00:00:00:01 address 192.0.2.10/24 scope global address fe80::1/64 scope link tentative\n",
    );
    expect((await krtctl("show tables --no-legend")).out).toContain("master4 ipv4 5 6 main kernel4\n");
  });

  it("show status prints one fact a line", async () => {
    const { out } = await krtctl("show status");
    expect(out).toContain("state: in-sync\n");
    expect(out).toContain("started: 2026-11-21T02:00:00Z (1 h 2 min ago)\n");
    expect(JSON.parse((await krtctl("show status -j")).out)).toEqual(running.router.status());
  });
});

describe("krtctl, protocols of many tables and namespaces", () => {
  beforeEach(async () => {
    const interfaces = new Interfaces({ requireAddress: false });
    const link = { mtu: 1400, mac: null, kind: "veth", master: null, operstate: 6, carrier: true };
    interfaces.beginFull();
    interfaces.link({ ...link, ifindex: 2, name: "wan", flags: 0x11043 });
    interfaces.endFull();
    running.router.others.push({ name: "blue", interfaces, problem: "there is no such namespace" });
    await running.router.add("leak", "pipe", [running.router.master4, running.router.blue4]);
    await running.router.add("kernel-blue", "kernel", [running.router.blue4], {
      kernel: new FakeKernel(4, 254),
      netns: "blue",
    });
  });

  it("show protocols all shows channels, filters, namespace, and what was switched off", async () => {
    expect((await krtctl("show protocols leak --no-legend")).out).toMatch(/^leak pipe master4,blue4 up /);
    const pipe = (await krtctl("show protocols all leak", { terminal: true })).out;
    expect(pipe).toContain(
      "    channel master4: import all, export all; 0 imported, 0 exported, 0 preferred\n" +
        "    channel blue4: import all, export all; 0 imported, 0 exported, 0 preferred\n" +
        "    routes: 0 imported, 0 exported, 0 preferred\n",
    );
    const at = running.router.entries.findIndex(({ protocol }) => protocol.name === "kernel-blue");
    running.router.entries[at] = { ...running.router.entries[at]!, disabled: true, state: "down" };
    const blue = (await krtctl("--color never show protocols all kernel-blue", { terminal: true })).out;
    expect(blue).toMatch(/^kernel-blue +kernel +blue4 +disabled /m);
    for (const text of [
      "switched off by hand, down",
      "netns: blue",
      "channel blue4: import all, export all\n",
    ]) {
      expect(blue).toContain(`    ${text}`);
    }
    expect(blue).toContain("contested: 0\n");
    expect(JSON.parse((await krtctl("show protocols leak -j")).out)).toMatchObject([
      { table: "master4", tables: ["master4", "blue4"], "peer-table": "blue4", netns: null, disabled: false },
    ]);
  });

  it("show interfaces shows all namespaces, or one", async () => {
    const { out } = await krtctl("show interfaces summary --no-legend");
    expect(out).toContain("eth0 up 192.0.2.10/24 fe80::1/64\n");
    expect(out).toContain("wan up - netns blue\n");
    expect((await krtctl("show interfaces net blue --no-legend")).out).toBe(
      "wan up 2 1400 veth - - netns blue\n",
    );
    expect((await krtctl("sh i su wan netns blue --no-legend")).out).toBe("wan up - netns blue\n");
    expect((await krtctl("show interfaces eth0 netns blue")).code).toBe(6);
    expect(await krtctl("show interfaces netns red")).toMatchObject({
      code: 6,
      err: expect.stringContaining("Besides its own it serves blue."),
    });
    expect((await krtctl("show interfaces netns")).code).toBe(2);
    const json = JSON.parse((await krtctl("show interfaces -j")).out) as { netns: string | null }[];
    expect(json.map(({ netns }) => netns)).toEqual([null, null, null, "blue"]);
  });

  it("show status names other namespaces, and what is wrong with them", async () => {
    const report = running.router.status();
    const namespaces = running.router.namespaces().map(({ name, problem }) => ({ name, problem }));
    running.router.status = () => ({ ...report, namespaces });
    expect((await krtctl("show status")).out).toContain("namespace: blue: there is no such namespace\n");
    running.router.status = () => ({
      ...report,
      config: { ...report.config, ok: false, error: "bad\n  | x\n" },
    });
    expect((await krtctl("show status")).out).toContain("config-error: bad (…)\n");
    expect((await krtctl("show status", { terminal: true })).out).toMatch(
      /config-error: +\S*bad\S*\n {6}\| x\n/,
    );
  });

  it("show tables names the namespace a table leads into", async () => {
    expect((await krtctl("show tables --no-legend")).out).toContain(" kernel-blue netns blue\n");
  });

  it("show drift tells what others did", async () => {
    running.router.kernel4.drift.push({
      at: Date.UTC(2026, 10, 21, 2),
      protocol: "kernel4",
      prefix: { family: 4, w0: 0x0a000000, w1: 0, w2: 0, w3: 0, length: 8 },
      metric: 32,
      kind: "deleted",
      seenBy: "event",
      port: 1234,
      before: null,
      after: null,
      reaction: "repaired",
    });
    const text = "2026-11-21T02:00:00Z 10.0.0.0/8 metric 32 deleted [kernel4] by port 1234 repaired\n";
    expect((await krtctl("show drift")).out).toBe(`${text}1 change by others: 1 deleted\n`);
    expect((await krtctl("show drift 10.0.0.0/8 prot kernel4 --no-legend")).out).toBe(text);
    expect((await krtctl("show drift count")).out).toBe("1\n");
    expect((await krtctl("show drift table master4")).code).toBe(2);
  });
});

describe("krtctl scan and shutdown", () => {
  it("scan starts scans and says which", async () => {
    expect(await krtctl("scan kernel*")).toEqual({
      code: 0,
      out: "kernel4: scan started\nkernel6: scan started\n",
      err: "",
    });
    expect(running.router.scans).toEqual(["kernel4", "kernel6"]);
  });

  it("scan exits 6 for an unknown name and 1 for one that cannot", async () => {
    expect((await krtctl("scan nope")).code).toBe(6);
    expect((await krtctl("scan uplinks")).code).toBe(1);
  });

  it("scan and reload pass --force on", async () => {
    expect((await krtctl("scan kernel4 --force")).code).toBe(0);
    expect((await krtctl("reload --force uplinks")).code).toBe(0);
    expect(running.router.scans).toEqual(["kernel4 by force"]);
    expect(running.router.acts).toEqual(["reload uplinks by force"]);
  });

  it("shutdown passes --keep on, before or after the verb", async () => {
    expect((await krtctl("--keep shutdown")).code).toBe(0);
    expect((await krtctl("shutdown --keep -j")).out).toBe('{"stopping":true,"keep":true,"observe":false}\n');
    expect((await krtctl("shutdown")).out).toContain("removes its routes");
    await expect
      .poll(() => running.router.shutdowns)
      .toEqual([{ keep: true }, { keep: true }, { keep: false }]);
  });
});

describe("krtctl errors", () => {
  it.each([
    ["", 2, "no command"],
    ["frob", 2, "unknown command"],
    ["sh", 2, "ambiguous command"],
    ["show routes t x", 2, "ambiguous selector"],
    ["show routes 192.0.2.1", 2, "an address for a prefix"],
    ["show routes 192.0.2.1/24", 2, "host bits"],
    ["show routes 9.9.9.0/24", 6, "no such net"],
    ["show routes for 9.9.9.9 table blue4", 6, "no match"],
    ["show routes table nope", 6, "unknown table"],
    ["show routes protocol nope", 6, "unknown protocol"],
    ["show interfaces eth7", 6, "unknown interface"],
    ["show protocols nope", 6, "unknown protocol"],
    ["--frob show status", 2, "unknown option"],
    ["--timeout soon show status", 2, "bad duration"],
    ["--color pink show status", 2, "bad choice"],
    ["show status --keep", 2, "an option of another command"],
    ["restart uplinks --force", 2, "an option of another command"],
  ])("%j exits %i: %s", async (line, code) => {
    const ran = await krtctl(line);
    expect(ran.code, ran.err).toBe(code);
    expect(ran.out).toBe("");
    expect(ran.err).not.toBe("");
  });

  it("with --json are an object on standard output", async () => {
    const ran = await krtctl("show routes table nope --json");
    expect(ran).toMatchObject({ code: 6, err: "" });
    expect(JSON.parse(ran.out)).toEqual({
      error: {
        code: "no-such-table",
        message: 'There is no table "nope"',
        hint: "There are master4, master6, blue4.",
      },
    });
    expect(JSON.parse((await krtctl("-j frob")).out)).toMatchObject({ error: { code: "usage" } });
  });

  it("never let a terminal be driven by what was asked for", async () => {
    const ran = await runKrtctl(["-s", running.path, "show", "routes", "table", "\x1b]0;x\x07"]);
    expect(ran.err).not.toContain("\x1b");
  });

  it("help and version go to standard output with exit 0", async () => {
    expect((await krtctl("--help")).out).toContain("show routes [PREFIX");
    expect((await krtctl("sh ro --help")).out).toMatch(/^Usage: krtctl show routes /);
    expect((await krtctl("help scan")).out).toMatch(/^Usage: krtctl scan /);
    expect((await krtctl("help sh sta")).out.match(/^Usage/gm)).toHaveLength(2);
    expect((await krtctl("-V")).out).toMatch(/^krtctl [0-9]+\.[0-9]+\.[0-9]+\n$/);
  });
});

describe("krtctl without a daemon", () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "krtctl-"));
  });

  afterEach(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  function listen(server: Server, path: string): Promise<void> {
    return new Promise((resolve) => server.listen(path, resolve));
  }

  it("exits 3 when there is no socket, and says to start krtd", async () => {
    const ran = await runKrtctl(["-s", join(directory, "none"), "show", "status"]);
    expect(ran.code).toBe(3);
    expect(ran.err).toMatch(/there is no such socket\n.*Start krtd/);
  });

  it("exits 3 when nobody listens any more", async () => {
    const path = join(directory, "dead");
    await leaveDeadSocket(path);
    const ran = await runKrtctl(["--socket", path, "show", "status", "--json"]);
    expect(ran.code).toBe(3);
    expect(JSON.parse(ran.out)).toMatchObject({
      error: { code: "not-reachable", message: expect.stringContaining("nobody listens") },
    });
  });

  it("exits 3 when the daemon says nothing in time", async () => {
    const server = createServer(() => {});
    const path = join(directory, "mute");
    await listen(server, path);
    const ran = await runKrtctl(["-s", path, "--timeout", "100ms", "show", "status"]);
    server.close();
    expect(ran).toMatchObject({ code: 3, err: expect.stringContaining("no answer in 0.1 s") });
  });

  it("exits 1 when the answer is cut off, after what came", async () => {
    const record = '{"table":"master4","dst":"192.0.2.0/24","type":"unicast","flags":[]}';
    const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.end(`${head}${record.length.toString(16)}\r\n${record}\r\n`));
    });
    const path = join(directory, "short");
    await listen(server, path);
    const ran = await runKrtctl(["-s", path, "show", "routes", "--ndjson"]);
    server.close();
    expect(ran.code).toBe(1);
    expect(ran.out).toBe(record);
    expect(ran.err).toContain("not complete");
  });

  it("takes the socket from KRTD_SOCKET, else root's or the runtime directory's", async () => {
    const run = (env: NodeJS.ProcessEnv, uid: number) => runKrtctl(["show", "status"], { env, uid });
    expect((await run({ KRTD_SOCKET: "/nowhere/a" }, 0)).err).toContain("on /nowhere/a:");
    expect((await run({ XDG_RUNTIME_DIR: "/nowhere" }, 1000)).err).toContain("on /nowhere/krtd.sock:");
    expect((await run({}, 1000)).err).toContain("XDG_RUNTIME_DIR is not set");
    const long = await run({ KRTD_SOCKET: `/${"x".repeat(107)}` }, 0);
    expect(long).toMatchObject({ code: 2, err: expect.stringContaining("at most 107") });
  });
});

/** A socket file without a listener: renamed away from the server, which then cannot delete it at close. */
async function leaveDeadSocket(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${path}.live`, resolve));
  renameSync(`${path}.live`, path);
  await new Promise((resolve) => server.close(resolve));
}
