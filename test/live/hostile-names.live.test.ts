/**
 * Interface names that anybody who may create an interface, in a container for example, can choose: control sequences,
 * bytes that are no UTF-8, words of a shell, of JSON and of options. Every answer and every log line of krtd shows them
 * without being driven by them, and what krtctl shows can be given back to it.
 */

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RouteJson } from "../../src/control/json.ts";
import { escapeName } from "../../src/lib/escape-name.ts";
import { type RunningKrtd, startSynced } from "../support/krtd.ts";
import { createNetns, type Netns, waitFor } from "../support/netns.ts";

const execute = promisify(execFile);

/** Latin1: one character a byte. "%" is not among them: the kernel takes it for the place of a number. */
const NAMES: readonly string[] = [
  "\x1b[2J\x1b[31m",
  "\xff\xfe\x80",
  "a\"b'c\\",
  "$(reboot)",
  "-rf",
  "\xc3\xa9t\xc3\xa9",
  "\xe2\x80\xaegpj",
  "`id`;|&",
  "\x7f\x01\x07",
  "__proto__",
  "null",
  "*?[a]",
  "<b>{x=1}",
  "\x9b31m",
  "\xe2\x80\xa8l",
  "#x,y",
];

const MARK = "proto 120";
const net = (i: number): string => `198.51.${i}.0/24`;

/** `ip -n NAME …` with arguments of any bytes: Node's own would make UTF-8 of them. */
async function ipBytes(ns: Netns, ...words: readonly string[]): Promise<void> {
  const octal = (word: string): string =>
    Array.from(word, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, "0")}`).join("");
  // A line end is no part of these names, so that the shell takes none away.
  const quoted = words.map((word) => `"$(printf '${octal(word)}')"`).join(" ");
  await execute("sh", ["-c", `exec ip -n ${ns.name} ${quoted}`]);
}

let ns: Netns;
let krtd: RunningKrtd;

const CONFIG = `
log: {format: json, level: debug}
kernel:
  kernel4: {table: master4, kernel-table: main, learn: true, import: marked, scan-time: 5s}
direct:
  direct1: {interfaces: ["*", "!lo"]}
static:
  ways:
    table: master4
    routes:
${NAMES.map((_, i) => `      - {prefix: ${net(i)}, via: 10.77.${i}.2}\n`).join("")}
      - {prefix: 203.0.113.0/24, dev: "\\e[2Jgone"}
      - {prefix: 203.0.114.0/24, dev: "$(reboot)"}
filters:
  marked:
    - {match: {dev: "*"}, action: accept}
    - {action: reject}
`;

beforeAll(async () => {
  ns = await createNetns();
  for (const [i, name] of NAMES.entries()) {
    await ipBytes(ns, "link", "add", "name", name, "index", String(100 + i), "type", "bridge");
    await ipBytes(ns, "addr", "add", `10.77.${i}.1/24`, "dev", name);
    await ipBytes(ns, "link", "set", "dev", name, "alias", `alias ${name}\x1b[2J`);
    await ipBytes(ns, "link", "set", "dev", name, "up");
  }
  krtd = await startSynced(ns, CONFIG);
});

afterAll(async () => {
  await krtd?.[Symbol.asyncDispose]();
  await ns?.dispose();
});

/** Printable ASCII, the few signs that krtctl itself draws, tabs and line ends: nothing drives a terminal. */
const SAFE = /^[\t\n -~…→✓✗·—–]*$/;

describe("interfaces with hostile names", () => {
  it("are all served: their routes are in the kernel", async () => {
    const shown = await ns.ip("route show proto 120");
    for (const [i] of NAMES.entries()) expect(shown).toContain(`${net(i)} via 10.77.${i}.2`);
    expect(shown).toContain("203.0.114.0/24 dev $(reboot)");
  });

  it.each([
    [["show", "interfaces"]],
    [["show", "routes", "all"]],
    [["show", "kernel"]],
    [["show", "protocols", "all"]],
    [["show", "drift"]],
    [["show", "status"]],
    [["show", "static"]],
    [["show", "tables"]],
    [["diff"]],
    [["explain", "198.51.1.0/24"]],
    [["explain", "203.0.113.0/24"]],
    [["explain", "10.77.0.9"]],
    [["plan"]],
  ])("krtctl %j shows them and is not driven by them, as text and as JSON", async (words) => {
    const text = await krtd.ctl(...words);
    expect(text.stderr).toBe("");
    expect(text.stdout).toMatch(SAFE);
    const json = await krtd.ctl("--json", ...words);
    expect(json.stdout).toMatch(/^[\n -~]*$/);
    JSON.parse(json.stdout);
  });

  it("are told byte by byte in JSON, and escaped in text", async () => {
    const interfaces = await krtd.get<{ name: string }[]>("/v1/interfaces");
    const { stdout } = await krtd.ctl("show", "interfaces");
    for (const name of NAMES) {
      expect(interfaces.map((one) => one.name)).toContain(name);
      expect(stdout).toContain(escapeName(name));
    }
  });

  it.each(NAMES.map((name, i) => [escapeName(name), i] as const))(
    "%s, as krtctl shows it, finds its routes and no others",
    async (shown, i) => {
      // A hyphen would begin an option.
      const given = shown.replace(/^-/, "\\x2d");
      const { stdout, stderr } = await krtd.ctl("--json", "show", "routes", "all", "dev", given);
      expect(stderr).toBe("");
      const routes = JSON.parse(stdout) as RouteJson[];
      expect(routes.map(({ dst }) => dst).filter((dst) => !dst.startsWith("203."))).toEqual([
        `10.77.${i}.0/24`,
      ]);
      const kernel = JSON.parse(
        (await krtd.ctl("--json", "show", "kernel", "dev", given)).stdout,
      ) as RouteJson[];
      expect(kernel.map(({ dst }) => dst)).toContain(net(i));
    },
  );

  it("a foreign change of their routes is drift, repaired and told safely", async () => {
    for (const [i] of NAMES.entries()) await ns.tryIp(`route del ${net(i)} ${MARK}`);
    await waitFor("the repairs", async () =>
      (await ns.ip("route show proto 120")).includes(net(NAMES.length - 1)),
    );
    const { stdout } = await krtd.ctl("show", "drift");
    expect(stdout).toContain("198.51.0.0/24");
    expect(stdout).toMatch(SAFE);
  });

  it("one that comes, is renamed and goes is logged on lines that are JSON and ASCII but for letters", async () => {
    await ipBytes(ns, "link", "add", "name", "\x1b]0;x\x07", "type", "bridge");
    await ipBytes(ns, "link", "set", "dev", "\x1b]0;x\x07", "name", "\xff\x1b[2Jz");
    await ipBytes(ns, "link", "del", "dev", "\xff\x1b[2Jz");
    await krtd.scan("in-sync");
    const lines = krtd
      .log()
      .split("\n")
      .filter((line) => line !== "");
    expect(lines.length).toBeGreaterThan(5);
    for (const line of lines) {
      expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u);
      JSON.parse(line);
    }
  });

  it("a name that is missing is told escaped, in the route's state and by explain", async () => {
    expect((await krtd.route("203.0.113.0/24")).kernel.message).toBe('Device "\\x1b[2Jgone" does not exist');
    expect((await krtd.ctl("explain", "203.0.113.0/24")).stdout).toContain("\\x1b[2Jgone");
  });

  it("what the API is asked with such names it answers in ASCII", async () => {
    for (const path of ["routes", "kernel", "interfaces", "diff"]) {
      const answer = await krtd.ctl("--json", "show", "routes", "protocol", "\u001b[2J\u202e");
      expect(answer.stdout + answer.stderr, path).toMatch(SAFE);
    }
    const answer = await krtd.ctl("explain", "\u001b[2J");
    expect(answer.code).not.toBe(0);
    expect(answer.stderr).toMatch(SAFE);
  });
});
