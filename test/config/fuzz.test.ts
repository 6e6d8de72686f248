/** Whatever stands in krt.yaml or a route file: loadConfig() answers, and every problem has its place. */

import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { loadConfig, type Problem } from "../../src/config/load.ts";
import { PROBLEMS_PER_FILE, RouteFileParser } from "../../src/config/route-file.ts";
import { RouteSet } from "../../src/proto/static/config.ts";
import { ConfigDir } from "../support/config-dir.ts";
import { fuzzRuns } from "../support/netlink-mutations.ts";

const dir = new ConfigDir();
afterAll(() => dir.remove());

/** KRTD_FUZZ_RUNS counts mutations of netlink messages; a configuration takes a hundred times as long. */
const RUNS = fuzzRuns(100_000, 0.01);
const FOR_EVER = 3_600_000;

const GOOD = `
router-id: 192.0.2.1
log: {level: info, format: json}
control: {socket: /run/krtd.sock, mode: "0660"}
netlink: {rx-buffer: 16MiB}
graceful-restart: {enabled: true, wait: 10s}
former-protocol-ids: [99, 98]
tables: {blue4: {family: ipv4}}
device: {scan-time: 10s, interfaces: {"eth*": {preferred: 192.0.2.1}}}
kernel:
  kernel4: {table: master4, kernel-table: main, learn: all, metric: 32, import: f}
  kernel6: {table: master6, merge-paths: 4, export: f, netns: blue}
static:
  s:
    table: master4
    preference: 200
    routes:
      - {prefix: 10.0.0.0/8, via: 192.0.2.1, dev: eth0, onlink: true, mtu: 1400}
      - prefix: 10.1.0.0/16
        nexthops: [{via: 192.0.2.1, weight: 2}, {dev: "e\\x1b[2J"}]
      - {prefix: default, type: blackhole}
      - {prefix: 10.2.0.0/16, recursive: 10.1.0.1, prefsrc: 192.0.2.1}
    files: ["*.routes"]
direct: {d: {table: [master4], interfaces: ["eth*", "!lo"]}}
pipe: {p: {table: master4, peer-table: blue4}}
filters:
  f:
    - {match: {prefix: ["10.0.0.0/8{16,24}", 0.0.0.0/0-], dev: "e*", metric: 1-20}, set: {metric: 5, congctl: bbr, rtt: 5ms, lock: [mtu]}, action: accept}
    - {action: reject}
`;

/** Words of the language, and what is worst in their place. */
const word = fc.constantFrom(
  ...GOOD.split(/[\s,{}[\]]+/).filter((text) => text !== ""),
  ...[
    "[]",
    "{}",
    "~",
    "null",
    "true",
    "-1",
    "1e99",
    ".nan",
    ".inf",
    "0x7f",
    "0o17",
    "99999999999999999999",
    "''",
    '""',
  ],
  ...[
    '"\\0"',
    '"\\e[2J"',
    '"\\u202e"',
    "__proto__",
    "constructor",
    "toString",
    "::",
    "::1/129",
    "0/0",
    "- - -",
    "? a",
  ],
  ...[
    "|\n  a",
    "*",
    "&a",
    "!t",
    "<<: 1",
    "{a: {a: {a: 1}}}",
    "[[[[]]]]",
    "10.0.0.0/8+",
    "\t",
    "#",
    "é",
    "\u{1f600}",
  ],
);

const mutated = fc
  .array(
    fc.tuple(fc.nat(GOOD.length), fc.nat(12), fc.oneof(word, fc.string({ maxLength: 6, unit: "binary" }))),
    {
      minLength: 1,
      maxLength: 5,
    },
  )
  .map((edits) => {
    let text = GOOD;
    for (const [at, cut, put] of edits) text = text.slice(0, at) + put + text.slice(at + cut);
    return text;
  });

/** As mutated, but a whole value or key is another: still YAML, mostly. */
const replaced = fc.array(fc.tuple(fc.nat(300), word), { minLength: 1, maxLength: 4 }).map((edits) => {
  const parts = GOOD.split(/([\w./*!"-]+)/);
  for (const [at, put] of edits) parts[((at * 2) % (parts.length - 1)) + 1] = put;
  return parts.join("");
});

function wellPlaced(problem: Problem, files: readonly string[]): void {
  const { file, line, column, message, sourceLine } = problem;
  expect(files).toContain(file);
  expect(message.length).toBeGreaterThan(3);
  expect(message.length).toBeLessThan(1000);
  expect(Number.isInteger(line) && line >= 0 && Number.isInteger(column)).toBe(true);
  expect(column > 0).toBe(line > 0);
  if (line > 0) expect(sourceLine).not.toBe(null);
  if (line > 0) expect(column).toBeLessThanOrEqual(Array.from(sourceLine!).length + 1);
}

describe("loadConfig() on any text", () => {
  it(
    "takes it or says what is wrong, and where",
    async () => {
      let taken = 0;
      const file = dir.write("krt.yaml", GOOD);
      expect(await loadConfig(file, { iproute2Directories: [dir.path] })).toMatchObject({ ok: true });
      await fc.assert(
        fc.asyncProperty(fc.oneof(mutated, replaced), async (text) => {
          dir.write("krt.yaml", text);
          const loaded = await loadConfig(file, { iproute2Directories: [dir.path] });
          if (loaded.ok) {
            taken++;
            return;
          }
          expect(loaded.problems.length).toBeGreaterThan(0);
          for (const problem of loaded.problems) wellPlaced(problem, [file]);
        }),
        { numRuns: RUNS },
      );
      expect(taken).toBeGreaterThan(0);
    },
    FOR_EVER,
  );
});

const LINES = [
  "10.0.0.0/8 via 192.0.2.1 dev eth0 metric 5",
  "default via 192.0.2.1",
  "blackhole 10.0.0.0/8",
  "203.0.113.0/24 nexthop via 192.0.2.2 weight 1 nexthop via 192.0.2.3 dev eth1 weight 3",
  "2001:db8::/32 via fe80::1 dev eth0 onlink mtu 1400 src 2001:db8::10",
  "172.16.0.0/12 via inet6 fe80::1 dev eth0",
  "192.168.0.0/16 recursive 10.1.2.3 # why",
];
const piece = fc.oneof(
  fc.constantFrom(...LINES.flatMap((line) => line.split(" "))),
  fc.constantFrom("\n", "\r\n", "\t", " ", "#", "\0", "\xff", "\x1b[2J", "/", ":", "::", "/33", "-1", "\\"),
  fc.string({ maxLength: 4, unit: "binary" }),
);
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(`${text}\n`, "latin1"));

describe("RouteFileParser on any bytes", () => {
  it.each([4, 6] as const)(
    "reads IPv%i routes or says what is wrong with which line, and reads nothing behind the end",
    (family) => {
      fc.assert(
        fc.property(
          fc.oneof(
            fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(" ")),
            fc
              .tuple(fc.constantFrom(...LINES), fc.nat(60), piece)
              .map(([line, at, put]) => line.slice(0, at) + put + line.slice(at)),
          ),
          (text) => {
            const bytes = bytesOf(text);
            const parsers = [0x0a, 0x31].map((poison) => {
              const parser = new RouteFileParser(new RouteSet(family));
              const room = new Uint8Array(bytes.length + 64).fill(poison);
              room.set(bytes);
              parser.begin("r.routes");
              parser.parse(room, 0, bytes.length);
              parser.end();
              return parser;
            });
            const lines = bytes.filter((byte) => byte === 0x0a).length;
            const [one, other] = parsers as [RouteFileParser, RouteFileParser];
            expect(other.problems).toEqual(one.problems);
            expect(other.set.count).toBe(one.set.count);
            expect(one.set.count).toBeLessThanOrEqual(lines);
            expect(one.problems.length).toBeLessThanOrEqual(PROBLEMS_PER_FILE + 1);
            for (const problem of one.problems) {
              wellPlaced(problem, ["r.routes"]);
              expect(problem.line).toBeLessThanOrEqual(lines);
            }
          },
        ),
        { numRuns: RUNS * 3 },
      );
    },
    FOR_EVER,
  );
});
