import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ip, OWN } from "../proto/kernel/fixture.ts";
import { type ExplainRig, explainRig } from "../support/explain-rig.ts";
import { type Ran, type RunOptions, runKrtctl } from "../support/run-krtctl.ts";

let rig: ExplainRig;

/** Observing, so that every difference stays. */
beforeEach(async () => {
  rig = await explainRig({ observe: true });
});

afterEach(async () => {
  await rig[Symbol.asyncDispose]();
});

async function withDifferences(): Promise<void> {
  rig.want("0.0.0.0/0", { nexthops: [{ via: "10.0.0.2" }] });
  rig.want("10.2.0.0/16", { nexthops: [{ via: "10.0.0.2" }, { via: "10.0.0.3", weight: 3 }] });
  rig.want("10.5.0.0/16", { type: "blackhole" });
  for (const prefix of ["10.2.0.0/16", "10.3.0.0/16"]) {
    const nexthops = [{ gateway: ip("10.0.0.9"), device: 0 }];
    rig.foreign({ op: "append", prefix, protocol: OWN, metric: 32, nexthops });
  }
  await rig.start();
}

function krtctl(line: string, options?: RunOptions): Promise<Ran> {
  return runKrtctl(["-s", rig.path, ...line.split(" ")], options);
}

const OBSERVING = "observe mode: krtd writes nothing";

const ON_A_PIPE = `~ 10.2.0.0/16 metric 32 nexthop via 10.0.0.2 weight 1 nexthop via 10.0.0.3 weight 3 [source] via 10.0.0.9 instead of via 10.0.0.2 and via 10.0.0.3 weight 3; ${OBSERVING}
- 10.3.0.0/16 via 10.0.0.9 dev v0 proto krtd metric 32 nobody wants it any more
+ default via 10.0.0.2 metric 32 [source] ${OBSERVING}
+ blackhole 10.5.0.0/16 metric 32 [source] ${OBSERVING}
4 differences: 2 to add, 1 to replace, 1 to delete
`;

const ON_A_TERMINAL = `~ 10.2.0.0/16                                 metric 32             [source]  via 10.0.0.9 instead of via 10.0.0.2 and via 10.0.0.3 weight 3; ${OBSERVING}
      nexthop via 10.0.0.2 weight 1
      nexthop via 10.0.0.3 weight 3
- 10.3.0.0/16            via 10.0.0.9 dev v0  proto krtd metric 32            nobody wants it any more
+ default                via 10.0.0.2         metric 32             [source]  ${OBSERVING}
+ blackhole 10.5.0.0/16                       metric 32             [source]  ${OBSERVING}
`;

describe("krtctl diff", () => {
  it("says that nothing differs, and exits with 0", async () => {
    await rig.start();
    expect(await krtctl("diff")).toEqual({ code: 0, out: "no difference\n", err: "" });
    expect(await krtctl("diff --no-legend")).toEqual({ code: 0, out: "", err: "" });
    expect(await krtctl("diff --json")).toEqual({ code: 0, out: "[]\n", err: "" });
    expect(await krtctl("diff --ndjson")).toEqual({ code: 0, out: "", err: "" });
  });

  it("prints a line for each difference, and exits with 5", async () => {
    await withDifferences();
    expect(await krtctl("diff")).toEqual({ code: 5, out: ON_A_PIPE, err: "" });
    const terminal = await krtctl("--color never --no-legend diff table t", { terminal: true });
    expect(terminal).toEqual({ code: 5, out: ON_A_TERMINAL, err: "" });
  });

  it("--json and --ndjson have the keys of the contract", async () => {
    await withDifferences();
    const array = await krtctl("dif --json");
    const records = await krtctl("diff --ndjson");
    expect([array.code, records.code]).toEqual([5, 5]);
    const list = JSON.parse(array.out) as object[];
    expect(
      records.out
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual(list);
    for (const record of list) {
      expect(Object.keys(record)).toEqual(["op", "table", "dst", "wanted", "kernel", "reason"]);
    }
  });

  it("paints by what is to be done", async () => {
    await withDifferences();
    const { out } = await krtctl("diff --color always");
    expect(out).toContain("\x1b[32m+ default\x1b[0m");
    expect(out).toContain("\x1b[31m- 10.3.0.0/16\x1b[0m");
    expect(out).toContain("\x1b[33m~ 10.2.0.0/16\x1b[0m");
  });

  it.each([
    ["diff 10.0.0.0/8", 2, '"diff" takes no prefix'],
    ["diff table blue", 6, 'No kernel protocol is attached to a table "blue"'],
  ])("%s exits with %i", async (line, code, words) => {
    const ran = await krtctl(line);
    expect(ran.code).toBe(code);
    expect(ran.err).toContain(words);
  });
});
