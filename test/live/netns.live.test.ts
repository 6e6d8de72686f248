import { readlinkSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createTopology, ifindexOf, withNetns } from "../support/netns.ts";

const here = (): string => readlinkSync("/proc/thread-self/ns/net");

describe("insideNetns()", () => {
  it("runs the function in the namespace and comes back, also when it throws", async () => {
    await withNetns(async (ns) => {
      const home = here();
      const there = ns.inside(here);
      expect(there).not.toBe(home);
      expect(here()).toBe(home);
      expect(() =>
        ns.inside(() => {
          throw new Error("inside");
        }),
      ).toThrow("inside");
      expect(here()).toBe(home);
    });
  });

  it("says which namespace does not exist", async () => {
    const { insideNetns } = await import("../../src/sysdep/linux/netlink/netns.ts");
    expect(() => insideNetns("krtd-no-such", () => 0)).toThrow(
      "Cannot enter network namespace /run/netns/krtd-no-such: No such file or directory",
    );
  });
});

describe("createTopology()", () => {
  it("gives v0 with both addresses and takes everything away at dispose", async () => {
    const ns = await createTopology();
    try {
      expect(await ns.ip("-br addr show dev v0")).toMatch(/UP.*10\.0\.0\.1\/24.*2001:db8:0:1::1\/64/);
      expect(await ifindexOf(ns, "v0")).toBeGreaterThan(1);
      expect((await ns.tryIp("route add 192.0.2.0/24 via 10.9.9.9")).stderr).toContain("invalid gateway");
    } finally {
      await ns.dispose();
    }
    await expect(ns.ip("link")).rejects.toThrow("Cannot ip link");
  });
});
