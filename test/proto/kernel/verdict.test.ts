import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { KernelRouteClass } from "../../../src/nest/protocol.ts";
import {
  DIRTY,
  INSTALLED,
  SENT,
  SYNCED,
  VERDICT_CREATE,
  VERDICT_SEEN,
  VERDICT_UPDATE,
} from "../../../src/nest/sync-flags.ts";
import { classify, ownNumbers, type Verdict, verdict } from "../../../src/proto/kernel/verdict.ts";

const OWN = 120;

describe("classify()", () => {
  const rows: readonly {
    why: string;
    protocol?: number;
    type?: number;
    tos?: number;
    table?: number;
    rtmFlags?: number;
    is: KernelRouteClass;
  }[] = [
    { why: "our protocol number", protocol: OWN, is: "ours" },
    { why: "a blackhole of ours", protocol: OWN, type: 6, is: "ours" },
    { why: "a throw route of ours", protocol: OWN, type: 9, is: "ours" },
    { why: "ICMP redirect", protocol: 1, is: "redirect" },
    { why: "a connected route", protocol: 2, is: "kernel" },
    { why: "ip route add without proto", protocol: 3, is: "alien" },
    { why: "an administrator's static", protocol: 4, is: "alien" },
    { why: "zebra", protocol: 11, is: "alien" },
    { why: "bird", protocol: 12, is: "alien" },
    { why: "dhcp", protocol: 16, is: "alien" },
    { why: "no protocol at all", protocol: 0, is: "skipped" },
    { why: "a clone, even with our number", protocol: OWN, rtmFlags: 0x200, is: "skipped" },
    { why: "the local table, even with our number", protocol: OWN, table: 255, is: "skipped" },
    { why: "a local address", protocol: 2, type: 2, is: "skipped" },
    { why: "broadcast", protocol: 2, type: 3, is: "skipped" },
    { why: "multicast", protocol: 4, type: 5, is: "skipped" },
    { why: "NAT type", protocol: 4, type: 10, is: "skipped" },
    { why: "a route for one type of service, even with our number", protocol: OWN, tos: 8, is: "skipped" },
    { why: "state flags (linkdown) change nothing", protocol: OWN, rtmFlags: 16, is: "ours" },
  ];
  it.each(rows)("says $is for $why", ({ protocol = 4, type = 1, tos = 0, table = 254, rtmFlags = 0, is }) => {
    expect(classify(protocol, type, tos, table, rtmFlags, ownNumbers(OWN, []))).toBe(is);
  });
});

describe("verdict()", () => {
  const rows: readonly {
    why: string;
    routeClass?: KernelRouteClass;
    flags: number;
    sameKey?: boolean;
    equal?: boolean;
    is: Verdict;
  }[] = [
    { why: "kernel route at our prefix", routeClass: "kernel", flags: INSTALLED, is: "ignore" },
    {
      why: "kernel route after an UPDATE",
      routeClass: "kernel",
      flags: INSTALLED | VERDICT_UPDATE,
      is: "ignore",
    },
    { why: "redirect", routeClass: "redirect", flags: 0, is: "ignore" },
    { why: "skipped", routeClass: "skipped", flags: INSTALLED, is: "ignore" },
    { why: "alien without a node", routeClass: "alien", flags: 0, is: "learn" },
    {
      why: "alien at our prefix, even on a dirty node",
      routeClass: "alien",
      flags: INSTALLED | DIRTY,
      is: "learn",
    },
    { why: "we changed the net meanwhile", flags: INSTALLED | DIRTY, equal: false, is: "changed" },
    { why: "we withdrew the net meanwhile", flags: DIRTY | SENT, is: "changed" },
    { why: "as wanted", flags: INSTALLED, is: "seen" },
    { why: "as wanted and known", flags: INSTALLED | SENT | SYNCED, is: "seen" },
    { why: "another gateway", flags: INSTALLED, equal: false, is: "update" },
    {
      why: "a second of ours at the key, after SEEN",
      flags: INSTALLED | VERDICT_SEEN,
      equal: false,
      is: "duplicate",
    },
    { why: "a second of ours at the key, after UPDATE", flags: INSTALLED | VERDICT_UPDATE, is: "duplicate" },
    { why: "ours at a metric we do not want", flags: INSTALLED, sameKey: false, equal: false, is: "delete" },
    {
      why: "the same after SEEN: a stale alias",
      flags: INSTALLED | VERDICT_SEEN,
      sameKey: false,
      is: "delete",
    },
    { why: "ours, and nobody wants the net", flags: 0, is: "delete" },
    { why: "ours, no longer exported", flags: SENT | SYNCED, is: "delete" },
  ];
  it.each(rows)("says $is: $why", ({ routeClass = "ours", flags, sameKey = true, equal = true, is }) => {
    expect(verdict(routeClass, flags, sameKey, equal)).toBe(is);
  });

  it("is total and sets a verdict only for ours on a clean node", () => {
    const classes: readonly KernelRouteClass[] = ["ours", "redirect", "kernel", "alien", "skipped"];
    fc.assert(
      fc.property(
        fc.constantFrom(...classes),
        fc.nat(0x1fff),
        fc.boolean(),
        fc.boolean(),
        (routeClass, flags, sameKey, equal) => {
          const is = verdict(routeClass, flags, sameKey, equal);
          const acts = is === "seen" || is === "update" || is === "delete" || is === "duplicate";
          expect(acts).toBe(routeClass === "ours" && (flags & DIRTY) === 0);
          if (is === "seen" || is === "update") {
            expect(flags & INSTALLED).not.toBe(0);
            expect(flags & 0xf).toBe(VERDICT_CREATE);
          }
        },
      ),
    );
  });
});
