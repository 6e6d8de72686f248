/** What explain and diff say of routes that safety keeps in the kernel. */

import { afterEach, describe, expect, it } from "vitest";
import { ip, OWN, safety } from "../proto/kernel/fixture.ts";
import { type ExplainRig, explainRig, step } from "../support/explain-rig.ts";

const NET = "10.1.0.0/16";
const VIA = { nexthops: [{ via: "10.0.0.2" }] };

let rig: ExplainRig;
afterEach(async () => {
  await rig.protocol.stop({ keep: true });
  await rig[Symbol.asyncDispose]();
});

const stands = (prefix: string, gateway = "10.0.0.2"): void => {
  rig.foreign({
    op: "add",
    prefix,
    protocol: OWN,
    metric: 32,
    nexthops: [{ gateway: ip(gateway), device: 0 }],
  });
};

describe("a protected route", () => {
  it("that nobody wants any more is explained, and is a difference", async () => {
    rig = await explainRig({ safety: safety([NET]) });
    stands(NET);
    await rig.start();
    const { verdict, reason } = await rig.explain(NET);
    expect(verdict).toBe("no-such-route");
    expect(reason).toBe(
      `Nobody announces ${NET} to table t; the kernel still has an old route of krtd's, which safety.protect keeps: ` +
        `take ${NET} out of the list and configure, or delete the route by hand.`,
    );
    expect(await rig.diff()).toMatchObject([
      { op: "delete", dst: NET, reason: "nobody wants it any more, and safety.protect keeps it" },
    ]);
  });

  it("that cannot become what is wanted is explained, and is a difference", async () => {
    rig = await explainRig({ safety: safety([NET]) });
    stands(NET, "10.0.0.3");
    await rig.source("s");
    rig.offer("s", NET, VIA);
    await rig.start();
    const { verdict, reason, steps } = await rig.explain(NET);
    expect(verdict).toBe("not-installed");
    expect(reason).toBe(
      "What stands at this prefix is kept by safety.protect: take the prefix out of the list and configure, or change the route by hand.",
    );
    expect(steps.find(({ step }) => step === "write")).toMatchObject({ ok: false });
    const [difference, ...others] = await rig.diff();
    expect(others).toEqual([]);
    expect(difference).toMatchObject({ op: "replace", dst: NET });
    expect(difference?.reason).toMatch(/via 10\.0\.0\.2.*is kept by safety\.protect/);
  });
});

describe("routes that are withheld", () => {
  it("are explained with the way out", async () => {
    rig = await explainRig();
    for (let i = 0; i < 12; i++) stands(`10.1.${i}.0/24`);
    await rig.start();
    const answer = await rig.explain("10.1.3.0/24");
    expect(step(answer, "kernel")).toContain("(krtd's, one of too many to be deleted unasked)");
    expect(answer.reason).toBe(
      "Nobody announces 10.1.3.0/24 to table t; the kernel still has an old route of krtd's, as one of too many that " +
        "nobody wants any more (safety.max-delete-percent): krtctl scan --force k deletes them.",
    );
  });

  it("are not those of a net that is wanted", async () => {
    rig = await explainRig();
    for (let i = 0; i < 12; i++) stands(`10.1.${i}.0/24`);
    const wanted = "10.7.0.0/16";
    rig.want(wanted, VIA);
    const nexthops = [{ gateway: ip("10.0.0.3"), device: 0 }];
    rig.foreign({ op: "add", prefix: wanted, metric: 32, protocol: 4, nexthops });
    rig.foreign({ op: "add", prefix: wanted, metric: 99, protocol: OWN, nexthops });
    await rig.start();
    const told = step(await rig.explain(wanted), "kernel");
    expect(told).toContain("krtd's");
    expect(told).not.toContain("too many");
  });
});
