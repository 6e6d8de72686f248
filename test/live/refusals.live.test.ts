/**
 * What krtd refuses before it touches anything: a bad configuration (exit 4, with the place), and a process that
 * may not write (exit 7, one sentence). The kernel is the same afterwards, also where routes of krtd's own
 * protocol stand there to be taken for stale.
 */

import { readdir } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { asNobody } from "../support/as-nobody.ts";
import { configText, FAMILIES, foreignLines, ownLines } from "../support/families.ts";
import { runKrtd, startKrtd } from "../support/krtd.ts";
import { createTopology, type Netns, settled } from "../support/netns.ts";

let ns: Netns;
let before: readonly string[];

const everything = async (): Promise<string[]> =>
  [await ownLines(ns, "-4"), await ownLines(ns, "-6"), await foreignLines(ns)].flat();

beforeAll(async () => {
  ns = await createTopology();
  await settled(ns);
  for (const { flag, net, gateway } of FAMILIES) {
    await ns.ip(`${flag} route add ${net(1)} via ${gateway} metric 32 proto 120`);
    await ns.ip(`${flag} route add ${net(2)} via ${gateway} metric 32 proto static`);
  }
  before = await everything();
});

afterAll(() => ns?.dispose());

const GOOD = configText({
  4: [{ prefix: FAMILIES[0]!.net(7), via: FAMILIES[0]!.gateway }],
  6: [{ prefix: FAMILIES[1]!.net(7), via: FAMILIES[1]!.gateway }],
});

/** A configuration with these lines as the routes of one static protocol, the first of them line 5. */
const withRoutes = (...routes: readonly string[]): string =>
  [
    "kernel: {kernel4: }",
    "static:",
    "  s:",
    "    routes:",
    ...routes.map((route) => `      - ${route}`),
    "",
  ].join("\n");

interface Bad {
  readonly what: string;
  readonly yaml: string;
  /** Each must stand on stderr, after the directory. */
  readonly told: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
}

const BAD: readonly Bad[] = [
  {
    what: "YAML that does not parse",
    yaml: "kernel:\n  kernel4: {table: master4\nstatic: {}\n",
    told: ["krt.yaml:3:1: YAML syntax: "],
  },
  {
    what: "1 MiB of brackets",
    yaml: "[".repeat(1024 * 1024),
    told: ["krt.yaml:1:34: Lists and mappings are nested deeper than 32 levels"],
  },
  { what: "more than 1 MiB", yaml: `# ${"x".repeat(1024 * 1024)}\n${GOOD}`, told: ["krt.yaml"] },
  {
    what: "an unknown key",
    yaml: "kernel:\n  kernel4: {scan-tme: 20s}\n",
    told: ['krt.yaml:2:13: Unknown key "scan-tme" in kernel.kernel4', 'did you mean "scan-time"?'],
  },
  {
    what: "host bits",
    yaml: withRoutes("{prefix: 10.1.2.3/8, via: 10.0.0.2}"),
    told: [
      'krt.yaml:5:18: Prefix "10.1.2.3/8" has bits set beyond its length 8',
      'did you mean "10.0.0.0/8"?',
    ],
  },
  {
    what: "a prefix twice",
    yaml: withRoutes("{prefix: 10.1.0.0/16, via: 10.0.0.2}", "{prefix: 10.1.0.0/16, via: 10.0.0.3}"),
    told: ["krt.yaml:6:18: This prefix is there already, at "],
  },
  {
    what: "a key twice",
    yaml: "kernel: {}\nlog: {}\nkernel: {}\n",
    told: ["krt.yaml:3:1: "],
  },
  {
    what: "two kernel protocols on one table",
    yaml: "kernel:\n  one: {table: master4}\n  two: {table: master4, kernel-table: 100}\n",
    told: ["krt.yaml:3:", '"one"'],
  },
  {
    what: "host bits in a route file",
    yaml: "kernel: {kernel4: }\nstatic:\n  s: {files: [bad.routes]}\n",
    files: { "bad.routes": "# fine so far\n10.1.0.0/16 via 10.0.0.2\n10.1.2.3/8 via 10.0.0.2\n" },
    told: ['bad.routes:3:1: Prefix "10.1.2.3/8" has bits set beyond its length 8'],
  },
  {
    what: "several mistakes, all at once",
    yaml: `${withRoutes("{prefix: 10.1.2.3/8, via: 10.0.0.2}", "{prefix: 10.2.0.0/16, vai: 10.0.0.2}")}tabels: {}\n`,
    told: ["krt.yaml:5:18: ", 'krt.yaml:6:31: Unknown key "vai"', 'krt.yaml:7:1: Unknown key "tabels"'],
  },
];

describe("a bad configuration", () => {
  it.each(BAD)("$what: exit 4, the place, and the kernel as it was", async ({ yaml, told, files = {} }) => {
    for (const args of [[], ["--check"]]) {
      const { code, stderr } = await runKrtd(ns, yaml, { files, args });
      expect(code).toBe(4);
      for (const words of told) expect(stderr).toContain(words);
      expect(stderr.length).toBeLessThan(4000);
    }
    expect(await everything()).toEqual(before);
  });
});

describe("--check", () => {
  it("of a good configuration ends with 0, says so, and touches nothing", async () => {
    await using krtd = await startKrtd(ns, GOOD, { args: ["--check"] });
    expect(await krtd.exited).toBe(0);
    expect(krtd.log()).toBe("");
    expect(krtd.output()).toMatch(/krt\.yaml: good: 5 protocols, 2 tables, 2 static routes\n$/);
    expect(await readdir(krtd.directory)).toEqual(["krt.yaml"]);
    expect(await everything()).toEqual(before);
  });
});

describe("without CAP_NET_ADMIN", () => {
  it.each([
    ["as root", ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"]],
    ["as nobody", asNobody("-all")],
  ])("krtd ends with 7 and one sentence (%s)", async (_who, wrapper) => {
    const { code, stderr } = await runKrtd(ns, GOOD, { wrapper, open: true });
    expect(code).toBe(7);
    const [line, ...rest] = stderr.trimEnd().split("\n");
    expect(rest).toEqual([]);
    expect(line).toMatch(/^krtd: Cannot change kernel routes: .*CAP_NET_ADMIN.*--observe.*\.$/);
    expect(await everything()).toEqual(before);
  });
});
