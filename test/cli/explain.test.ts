import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ip } from "../proto/kernel/fixture.ts";
import { type ExplainRig, explainRig } from "../support/explain-rig.ts";
import { type Ran, type RunOptions, runKrtctl } from "../support/run-krtctl.ts";

let rig: ExplainRig;

beforeEach(async () => {
  rig = await explainRig();
  rig.foreign({ op: "append", prefix: "10.0.0.0/8", metric: 9, nexthops: [hop("10.0.0.9")] });
  rig.foreign({ op: "append", prefix: "10.4.0.0/16", protocol: 4, metric: 32, nexthops: [hop("10.0.0.9")] });
  await rig.source("uplinks");
  rig.offer("uplinks", "10.1.0.0/16", { nexthops: [{ via: "10.0.0.2" }] });
  const hostile = rig.interfaces.resolveDevice("e\x1b[31m\xff");
  rig.offer("uplinks", "10.2.0.0/16", { nexthops: [{ device: hostile }] });
  rig.offer("uplinks", "10.4.0.0/16", { nexthops: [{ via: "10.0.0.2" }] });
  await rig.start();
});

afterEach(async () => {
  await rig[Symbol.asyncDispose]();
});

function hop(gateway: string) {
  return { gateway: ip(gateway), device: 0 };
}

function krtctl(line: string, options?: RunOptions): Promise<Ran> {
  return runKrtctl(["-s", rig.path, ...line.split(" ")], options);
}

const INSTALLED = `10.1.0.0/16 in table t: installed
The kernel has it as wanted.

ok source         uplinks offers it
ok import-filter  uplinks lets it in by filter "all"
ok best           uplinks is the only one, preference 200
ok export-filter  k's filter "all" let it pass
ok nexthop        gateway 10.0.0.2 is on the link of "v0"
ok key            table main (254), metric 32, protocol 120
ok write          the kernel has taken it, or had it already
ok kernel         table main (254) has 10.1.0.0/16 via 10.0.0.2 dev v0 proto krtd metric 32

The kernel's routes of this prefix:
  10.1.0.0/16 via 10.0.0.2 dev v0 metric 32 proto krtd [ours] seen
`;

const TAKEN = `10.4.0.0/16 in table t: not installed
Its key is held by 10.4.0.0/16 via 10.0.0.9 dev v0 proto static metric 32: delete that one, or give krtd's route another metric than 32.

✓ source         uplinks offers it
✓ import-filter  uplinks lets it in by filter "all"
✓ best           uplinks is the only one, preference 200
✓ export-filter  k's filter "all" let it pass
✓ nexthop        gateway 10.0.0.2 is on the link of "v0"
✗ key            table main (254), metric 32, protocol 120: held by 10.4.0.0/16 via 10.0.0.9 dev v0 proto static metric 32
✗ write          Key held by unicast 10.4.0.0/16 proto static metric 32 (EEXIST)
✗ kernel         table main (254) has 10.4.0.0/16 via 10.0.0.9 dev v0 proto static metric 32 (foreign)

The kernel's routes of this prefix:
  10.4.0.0/16  via 10.0.0.9 dev v0  metric 32 proto static  [alien]  ignore
`;

describe("krtctl explain", () => {
  it("tells the way of an installed route on a pipe", async () => {
    expect(await krtctl("explain 10.1.0.0/16")).toEqual({ code: 0, out: INSTALLED, err: "" });
  });

  it("tells on a terminal what is in the way, with marks where the locale has them", async () => {
    const options = { terminal: true, env: { LANG: "en_US.UTF-8" } };
    expect(await krtctl("--color never expl 10.4.0.0/16", options)).toEqual({ code: 0, out: TAKEN, err: "" });
    const ascii = await krtctl("--color never explain 10.4.0.0/16", {
      terminal: true,
      env: { LC_ALL: "C", LANG: "en_US.UTF-8" },
    });
    expect(ascii.out).toContain("no key            table main");
    expect(ascii.out).not.toMatch(/[^\n -~]/);
  });

  it("paints the verdict and the marks", async () => {
    const { out } = await krtctl("--color always explain 10.4.0.0/16");
    expect(out).toContain("\x1b[31mnot installed\x1b[0m");
    expect(out).toContain("\x1b[31mno\x1b[0m key");
    expect(out).toContain("\x1b[32mok\x1b[0m nexthop");
  });

  it("explains the longest match of an address", async () => {
    const { code, out } = await krtctl("explain 10.1.2.3 table t");
    expect(code).toBe(0);
    expect(out).toContain("10.1.2.3 -> 10.1.0.0/16 in table t: installed\n");
    expect(out).toContain("10.1.0.0/16 is the longest match for 10.1.2.3: the kernel has it as wanted.\n");
    expect(out).not.toContain("kernel takes");
    const nexthops = [hop("10.0.0.9")];
    rig.foreign({ op: "append", prefix: "10.1.2.0/24", protocol: 4, metric: 7, nexthops });
    expect((await krtctl("explain 10.1.2.3")).out).toContain(
      "\nFor 10.1.2.3 the kernel takes:\n  10.1.2.0/24 via 10.0.0.9 dev v0 metric 7 proto static",
    );
  });

  it("exits with 6 when there is no such route, and tells what the kernel takes", async () => {
    const { code, out } = await krtctl("explain 10.3.0.0/16");
    expect(code).toBe(6);
    expect(out).toContain("10.3.0.0/16 in table t: no such route\nNobody announces 10.3.0.0/16 to table t");
    expect(out).toContain("Meanwhile the kernel takes:\n  10.0.0.0/8 via 10.0.0.9 dev v0");
  });

  it("writes no escape sequence of others to the terminal", async () => {
    const { out } = await krtctl("--color never explain 10.2.0.0/16", { terminal: true });
    expect(out).toContain("does not exist");
    expect(out).not.toContain("\x1b");
  });

  it("--json is the answer of the API", async () => {
    const { code, out } = await krtctl("explain 10.3.0.0/16 --json");
    expect(code).toBe(6);
    expect(Object.keys(JSON.parse(out))).toEqual([
      "dst",
      "table",
      "address",
      "verdict",
      "reason",
      "steps",
      "route",
      "wanted",
      "kernel-routes",
      "rival",
      "covering",
    ]);
  });

  it.each([
    ["explain", 2, '"explain" needs more words'],
    ["explain table t", 2, '"explain" needs a prefix'],
    ["explain 10.1.0.1/16", 2, "Did you mean 10.1.0.0/16?"],
    ["explain 10.1.0.0/16 table nope", 6, 'There is no table "nope"'],
    ["explain 10.1.0.0/16 bogus t", 2, 'Unknown selector "bogus"'],
  ])("%s exits with %i", async (line, code, words) => {
    const ran = await krtctl(line);
    expect(ran.code).toBe(code);
    expect(ran.err).toContain(words);
  });
});
