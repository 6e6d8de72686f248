/** loadConfig(): what a right krt.yaml means, and that it answers on any bytes whatever. */

import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { loadConfig, renderProblems } from "../../src/config/load.ts";
import { formatPrefix } from "../../src/lib/prefix.ts";
import { ACCEPT_ALL, REJECT_ALL } from "../../src/nest/filter.ts";
import type { RouteSet } from "../../src/proto/static/config.ts";
import { ConfigDir } from "../support/config-dir.ts";

const dir = new ConfigDir();
afterAll(() => dir.remove());

function prefixes(set: RouteSet): string[] {
  return Array.from({ length: set.count }, (_, i) =>
    formatPrefix(set.family, set.word(i, 0), set.word(i, 1), set.word(i, 2), set.word(i, 3), set.length[i]!),
  );
}

describe("loadConfig() fills in defaults", () => {
  it("for everything", async () => {
    const config = await dir.config("log: {}\n");
    expect(config).toEqual({
      file: join(dir.path, "krt.yaml"),
      routerId: null,
      protocolId: 120,
      formerProtocolIds: [],
      log: { level: "info", format: "auto" },
      control: { socket: null, group: null, mode: 0o660 },
      netlink: { transport: "socket", rxBufferBytes: 16 * 1024 * 1024 },
      tables: [
        { name: "master4", family: 4, netns: null },
        { name: "master6", family: 6, netns: null },
      ],
      device: { scanTimeMs: 10_000, requireAddress: false, interfaces: [] },
      kernels: [],
      statics: [],
      directs: [],
      pipes: [],
      gracefulRestart: { enabled: false, waitMs: 240_000 },
      safety: { maxDeletePercent: 50, protect: [] },
    });
  });

  it("for a kernel protocol, whose entry may be empty", async () => {
    const { kernels } = await dir.config("kernel:\n  kernel4:\n");
    expect(kernels).toEqual([
      {
        name: "kernel4",
        table: "master4",
        kernelTable: 254,
        kernelTableName: "main",
        scanTimeMs: 20_000,
        metric: 32,
        learn: false,
        persist: false,
        import: ACCEPT_ALL,
        export: ACCEPT_ALL,
        mergePaths: 1,
        netns: null,
      },
    ]);
  });

  it("for a static, a direct and a pipe protocol", async () => {
    const { statics, directs, pipes } = await dir.config(
      "tables: {blue4: {family: ipv4}}\nstatic: {s: }\ndirect: {d: }\npipe: {p: {peer-table: blue4}}\n",
    );
    expect(statics).toMatchObject([
      { name: "s", table: "master4", preference: 200, checkLink: false, import: ACCEPT_ALL },
    ]);
    expect(directs).toEqual([
      { name: "d", tables: ["master4", "master6"], interfaces: [], preference: 240, import: ACCEPT_ALL },
    ]);
    expect(pipes).toEqual([
      { name: "p", table: "master4", peerTable: "blue4", import: ACCEPT_ALL, export: ACCEPT_ALL },
    ]);
  });

  it("for sections without content", async () => {
    const text =
      "log:\ncontrol:\nnetlink:\ntables:\ndevice:\nkernel:\nstatic:\nrouter-id:\ndirect:\npipe:\n" +
      "graceful-restart:\nformer-protocol-ids:\nsafety:\n";
    expect((await dir.config(text)).routerId).toBeNull();
    const { statics } = await dir.config("static:\n  s:\n    routes:\n    files:\n");
    expect(statics[0]).toMatchObject({ name: "s", table: "master4", preference: 200 });
  });
});

describe("loadConfig() reads every key", () => {
  it("of the daemon", async () => {
    dir.write("rt_tables", "# comment\n254 main\n 0x64\tblue # hundred\nnonsense\n99999999999 big\n");
    const config = await dir.config(`
router-id: 192.0.2.1
protocol-id: 5
log: {level: debug, format: journal}
control: {socket: /run/k.sock, group: 1000, mode: "0600"}
netlink: {transport: node-netlink, rx-buffer: 64KiB}
tables: {blue4: {family: ipv4}, blue6: {family: ipv6}, master4: {family: ipv4}}
device: {scan-time: 0, require-address: true}
kernel:
  a: {table: blue4, kernel-table: blue, scan-time: 500ms, metric: 0, learn: true, persist: true, import: none, export: none}
  b: {table: blue6, kernel-table: 4294967295, learn: all}
  c: {table: master4, kernel-table: "7", learn: false}
`);
    expect(config).toMatchObject({
      routerId: { family: 4, w0: 0xc0000201 | 0 },
      protocolId: 5,
      log: { level: "debug", format: "journal" },
      control: { socket: "/run/k.sock", group: "1000", mode: 0o600 },
      netlink: { transport: "node-netlink", rxBufferBytes: 65536 },
      device: { scanTimeMs: 0, requireAddress: true },
    });
    expect(config.tables.map((table) => table.name)).toEqual(["master4", "master6", "blue4", "blue6"]);
    expect(config.kernels).toMatchObject([
      {
        name: "a",
        kernelTable: 100,
        kernelTableName: "blue",
        scanTimeMs: 500,
        metric: 0,
        learn: true,
        persist: true,
      },
      { name: "b", kernelTable: 4294967295, kernelTableName: null, learn: "all" },
      { name: "c", kernelTable: 7, kernelTableName: null, learn: false },
    ]);
    expect(config.kernels[0]).toMatchObject({ import: REJECT_ALL, export: REJECT_ALL });
  });

  it.each([
    ["0640", 0o640],
    ['"0640"', 0o640],
    ["640", 0o640],
    ["0o640", 0o640],
  ])("control.mode %s as octal digits", async (written, mode) => {
    expect((await dir.config(`control: {mode: ${written}}\n`)).control.mode).toBe(mode);
  });

  it("of static routes", async () => {
    const { statics } = await dir.config(`
static:
  s4:
    preference: 0
    routes:
      - {prefix: default, via: 192.0.2.1}
      - {prefix: 198.51.100.0/24, via: 192.0.2.2, dev: eth0, onlink: true, mtu: 1400, prefsrc: 192.0.2.10, metric: 50}
      - {prefix: 203.0.113.0/24, nexthops: [{via: 192.0.2.2}, {via: 192.0.2.3, dev: eth1, weight: 3, onlink: true}]}
      - {prefix: 10.0.0.0/8, type: blackhole}
      - {prefix: 172.16.0.0/12, dev: tun0, type: unicast}
      - {prefix: 172.32.0.0/12, dev: tun0}
      - {prefix: 10.1.0.0/16, type: throw, prefsrc: 192.0.2.10}
      - {prefix: 10.2.0.0/16, dev: "\\u00fcber"}
  s6:
    table: master6
    routes:
      - {prefix: default, via: "fe80::1", dev: eth0}
`);
    const [s4, s6] = statics;
    expect(s4?.preference).toBe(0);
    expect(prefixes(s4!.routes)).toEqual([
      "0.0.0.0/0",
      "198.51.100.0/24",
      "203.0.113.0/24",
      "10.0.0.0/8",
      "172.16.0.0/12",
      "172.32.0.0/12",
      "10.1.0.0/16",
      "10.2.0.0/16",
    ]);
    const specOf = (i: number) => s4!.routes.specs[s4!.routes.spec[i]!]!;
    expect(specOf(1)).toMatchObject({
      type: "unicast",
      nexthops: [{ via: { w0: 0xc0000202 | 0 }, dev: "eth0", weight: 1, onlink: true }],
      prefsrc: { w0: 0xc000020a | 0 },
      mtu: 1400,
      metric: 50,
    });
    expect(specOf(2).nexthops).toMatchObject([
      { via: { w0: 0xc0000202 | 0 }, dev: null, weight: 1, onlink: false },
      { via: { w0: 0xc0000203 | 0 }, dev: "eth1", weight: 3, onlink: true },
    ]);
    expect(specOf(3)).toEqual({
      type: "blackhole",
      nexthops: [],
      prefsrc: null,
      mtu: null,
      metric: null,
      recursive: null,
    });
    expect(specOf(4)).toBe(specOf(5));
    expect(specOf(6)).toMatchObject({ type: "throw", nexthops: [], prefsrc: { family: 4 } });
    expect(specOf(7).nexthops[0]?.dev).toBe("\u00c3\u00bcber");
    expect(s4!.routes.where(1)).toBe(`${join(dir.path, "krt.yaml")}:7`);
    expect(prefixes(s6!.routes)).toEqual(["::/0"]);
  });
});

describe("loadConfig() reads route files", () => {
  it("that patterns name, sorted, each once", async () => {
    dir.write("routes.d/b.routes", "10.2.0.0/16 via 192.0.2.1\n");
    dir.write("routes.d/a.routes", "\n10.1.0.0/16 via 192.0.2.1\n");
    dir.write("routes.d/.hidden.routes", "10.3.0.0/16 via 192.0.2.1\n");
    dir.write("routes.d/c.other", "nonsense\n");
    const { statics } = await dir.config(
      'static: {s: {files: ["routes.d/*.routes", routes.d/a.routes, "no/*.routes"]}}\n',
    );
    const { routes } = statics[0]!;
    expect(prefixes(routes)).toEqual(["10.1.0.0/16", "10.2.0.0/16"]);
    expect(routes.specs).toHaveLength(1);
    expect(routes.where(0)).toBe(join(dir.path, "routes.d/a.routes:2"));
    expect(routes.where(1)).toBe(join(dir.path, "routes.d/b.routes:1"));
  });

  it("across the pieces they are read in", async () => {
    const count = 20_000;
    const lines = Array.from(
      { length: count },
      (_, i) => `10.${i >> 8}.${i & 255}.0/24 via 192.0.2.${1 + (i % 50)}`,
    );
    dir.write("big.routes", `\ufeff${lines.join("\r\n")}`);
    const { routes } = (await dir.config("static: {s: {files: [big.routes]}}\n")).statics[0]!;
    expect(routes.count).toBe(count);
    expect(routes.specs).toHaveLength(50);
    expect(routes.where(count - 1)).toBe(`${join(dir.path, "big.routes")}:${count}`);
  });

  it("and says why one cannot be read", async () => {
    mkdirSync(join(dir.path, "sub.routes"), { recursive: true });
    expect(await dir.problems('static: {s: {files: [nope.routes, "sub.*"]}}\n')).toBe(
      `krt.yaml:1:22: Cannot read the file: it does not exist: nope.routes
    1 | static: {s: {files: [nope.routes, "sub.*"]}}
      |                      ^
sub.routes: Cannot read the file: it is a directory
`,
    );
    dir.write("long.routes", "x".repeat(300_000));
    expect(await dir.problems("static: {s: {files: [long.routes]}}\n")).toContain(
      "A line has more than 262144 bytes",
    );
  });
});

describe("loadConfig() says why krt.yaml cannot be read", () => {
  it.each([
    ["", "krt.yaml: The file is empty\n"],
    ["# only a comment\n", "krt.yaml: The file holds no configuration\n  config/krt.yaml is an example\n"],
    ["null\n", "krt.yaml: The file holds no configuration\n  config/krt.yaml is an example\n"],
    [
      "a: 1\nb: \0\n",
      "krt.yaml:2:4: The file holds a NUL character (0x00)\n    2 | b: \\x00\n      |    ^\n",
    ],
    [
      "a: \u001b[31m\n",
      "krt.yaml:1:4: The file holds a control character (0x1b)\n    1 | a: \\x1b[31m\n      |    ^\n",
    ],
    [
      "a: 1\rb: 2\n",
      "krt.yaml:1:5: The file holds a carriage return without a line feed (0x0d)\n    1 | a: 1\\x0db: 2\n      |     ^\n",
    ],
  ])("%j", async (text, message) => {
    expect(await dir.problems(text)).toBe(message);
  });

  it("in another encoding", async () => {
    expect(await dir.problems(Buffer.from("a: 1\nb: \xfcber\n", "latin1"))).toBe(
      `krt.yaml:2:4: The file is not UTF-8 (byte 0xfc)
    2 | b: \ufffdber
      |    ^
  save it as UTF-8
`,
    );
    expect(await dir.problems(Buffer.from("\ufeffa: 1\n", "utf16le"))).toBe(
      "krt.yaml: The file is UTF-16\n  save it as UTF-8\n",
    );
    expect(await dir.problems("\ufeffa: \ufffd\n")).toContain('Unknown key "a"');
  });

  it("that is too large, missing, a directory, a device or not allowed", async () => {
    expect(await dir.problems(" ".repeat(2 * 1024 * 1024))).toBe(
      "krt.yaml: The file has more than 1048576 bytes\n  put routes in files of their own and name those under files:\n",
    );
    const why = async (file: string) => {
      const loaded = await loadConfig(file);
      return loaded.ok ? "" : renderProblems(loaded.problems);
    };
    expect(await why("/no/such/krt.yaml")).toBe(
      "/no/such/krt.yaml: Cannot read the file: it does not exist\n",
    );
    expect(await why("/")).toBe("/: Cannot read the file: it is a directory\n");
    expect(await why("/dev/zero")).toBe("/dev/zero: Cannot read the file: it is not a regular file\n");
    expect(await why("a\0b")).toContain("Cannot read the file");
    const secret = dir.write("secret.yaml", "log: {}\n");
    chmodSync(secret, 0);
    // Root reads everything: what counts is that it is one or the other.
    expect([`${secret}: Cannot read the file: permission denied\n`, ""]).toContain(await why(secret));
  });
});

describe("loadConfig() never throws", () => {
  const keys = [
    "router-id",
    "log",
    "level",
    "kernel",
    "static",
    "tables",
    "table",
    "routes",
    "prefix",
    "via",
    "recursive",
    "files",
    "interfaces",
    "peer-table",
    "netns",
    "import",
    "preferred",
  ];
  const word = fc.constantFrom(
    ...keys,
    "master4",
    "10.0.0.0/8",
    "default",
    "__proto__",
    "constructor",
    "toString",
    "",
  );
  const json = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.oneof(word, fc.integer(), fc.double(), fc.boolean(), fc.constant(null), fc.string()),
      fc.array(tie("value"), { maxLength: 4 }),
      fc.dictionary(word, tie("value"), { maxKeys: 5 }),
    ),
  })).value;

  it("on any bytes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        await dir.problems(bytes);
      }),
      { numRuns: 300 },
    );
  });

  it("on any values under any keys", async () => {
    const sections = fc.record(
      {
        kernel: json,
        static: json,
        direct: json,
        pipe: json,
        device: json,
        tables: json,
        log: json,
        other: json,
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(fc.oneof(json, sections), async (value) => {
        await dir.problems(JSON.stringify(value));
      }),
      { numRuns: 700 },
    );
  });

  it("on a megabyte of brackets, and answers once", async () => {
    expect(await dir.problems("[".repeat(1024 * 1024))).toMatch(
      /^krt\.yaml:1:34: Lists and mappings are nested deeper than 32 levels\n/,
    );
  });
});
