/** Kinds of routes that must come back from a scan as they were written, for d0 and d1 of the rig. */

import { congestionId } from "../../../src/lib/congestion-names.ts";
import type { AttrsText } from "../../support/draft.ts";
import { D0, D1 } from "./rig.ts";

export interface Kind {
  readonly kind: string;
  readonly prefix: string;
  readonly attrs: AttrsText;
  readonly metric?: number;
}

const rejects = (prefix: string): Kind[] =>
  (["blackhole", "unreachable", "prohibit", "throw"] as const).map((type) => ({
    kind: type,
    prefix,
    attrs: { type },
  }));

/** Locks, values that are cut (mtu, advmss, hoplimit), features, a congestion algorithm, and plain ones. */
const METRICS: Readonly<Record<number, number>> = {
  1: 0x30004,
  2: 70_000,
  8: 70_000,
  10: 300,
  12: 1,
  13: 200,
  16: congestionId("cubic"),
  17: 1,
};

export const KINDS4: readonly Kind[] = [
  ...rejects("192.0.2.0/24"),
  { kind: "gateway", prefix: "192.0.2.0/24", attrs: { nexthops: [{ via: "10.0.0.2" }] } },
  {
    kind: "gateway and device",
    prefix: "192.0.2.0/25",
    attrs: { nexthops: [{ via: "10.0.0.2", device: D0 }] },
  },
  { kind: "device", prefix: "192.0.2.0/24", attrs: { nexthops: [{ device: D1 }] } },
  { kind: "host", prefix: "192.0.2.9/32", attrs: { nexthops: [{ via: "10.0.0.2" }] } },
  { kind: "default", prefix: "0.0.0.0/0", attrs: { nexthops: [{ via: "10.0.0.2" }] } },
  {
    kind: "onlink",
    prefix: "192.0.2.0/24",
    attrs: { nexthops: [{ via: "172.16.0.1", device: D0, onlink: true }] },
  },
  {
    kind: "multipath with weights",
    prefix: "192.0.2.0/24",
    attrs: {
      nexthops: [{ via: "10.0.0.2", weight: 3 }, { via: "10.1.0.2", weight: 256 }, { via: "10.0.0.1" }],
    },
  },
  {
    kind: "multipath by device",
    prefix: "192.0.2.0/24",
    attrs: { nexthops: [{ device: D1 }, { device: D0 }] },
  },
  {
    kind: "multipath, one onlink",
    prefix: "192.0.2.0/24",
    attrs: { nexthops: [{ via: "10.0.0.2" }, { via: "172.16.0.1", device: D1, onlink: true }] },
  },
  {
    kind: "preferred source",
    prefix: "192.0.2.0/24",
    attrs: { nexthops: [{ via: "10.0.0.2" }], prefsrc: "10.1.0.1" },
  },
  {
    kind: "mtu and advmss",
    prefix: "192.0.2.0/24",
    attrs: { nexthops: [{ via: "10.0.0.2" }], metrics: { 2: 1400, 8: 1300 } },
  },
  {
    kind: "metrics, of which the kernel keeps less",
    prefix: "192.0.2.0/24",
    attrs: { nexthops: [{ via: "10.0.0.2" }], metrics: METRICS },
  },
  { kind: "realm", prefix: "192.0.2.0/24", attrs: { nexthops: [{ via: "10.0.0.2" }], flow: 5 } },
  { kind: "scope link", prefix: "192.0.2.0/24", attrs: { nexthops: [{ device: D0 }], scope: 253 } },
  { kind: "scope universe", prefix: "192.0.2.0/24", attrs: { nexthops: [{ device: D0 }], scope: 0 } },
  { kind: "IPv6 gateway", prefix: "192.0.2.0/24", attrs: { nexthops: [{ via: "fe80::1", device: D0 }] } },
  {
    kind: "largest metric",
    prefix: "192.0.2.0/24",
    metric: 0xffffffff,
    attrs: { nexthops: [{ via: "10.0.0.2" }] },
  },
  { kind: "metric 0", prefix: "192.0.2.0/24", metric: 0, attrs: { nexthops: [{ via: "10.0.0.2" }] } },
];

export const KINDS6: readonly Kind[] = [
  ...rejects("2001:db8:10::/48"),
  { kind: "gateway", prefix: "2001:db8:10::/48", attrs: { nexthops: [{ via: "2001:db8::2" }] } },
  {
    kind: "gateway and device",
    prefix: "2001:db8:10::/49",
    attrs: { nexthops: [{ via: "2001:db8::2", device: D0 }] },
  },
  {
    kind: "link-local gateway",
    prefix: "2001:db8:10::/48",
    attrs: { nexthops: [{ via: "fe80::2", device: D1 }] },
  },
  { kind: "device", prefix: "2001:db8:10::/48", attrs: { nexthops: [{ device: D1 }] } },
  { kind: "host", prefix: "2001:db8:10::9/128", attrs: { nexthops: [{ via: "2001:db8::2" }] } },
  { kind: "default", prefix: "::/0", attrs: { nexthops: [{ via: "2001:db8::2" }] } },
  {
    kind: "onlink",
    prefix: "2001:db8:10::/48",
    attrs: { nexthops: [{ via: "2001:db8:99::1", device: D0, onlink: true }] },
  },
  {
    kind: "multipath",
    prefix: "2001:db8:10::/48",
    attrs: { nexthops: [{ via: "2001:db8:1::2" }, { via: "2001:db8::2" }] },
  },
  {
    kind: "multipath with weights",
    prefix: "2001:db8:10::/48",
    attrs: {
      nexthops: [
        { via: "2001:db8::2", weight: 3 },
        { via: "fe80::2", device: D1, weight: 256 },
      ],
    },
  },
  {
    kind: "preferred source",
    prefix: "2001:db8:10::/48",
    attrs: { nexthops: [{ via: "2001:db8::2" }], prefsrc: "2001:db8:1::1" },
  },
  {
    kind: "metrics, of which the kernel keeps less",
    prefix: "2001:db8:10::/48",
    attrs: { nexthops: [{ via: "2001:db8::2" }], metrics: METRICS },
  },
  {
    kind: "scope and realm, which mean nothing",
    prefix: "2001:db8:10::/48",
    attrs: { nexthops: [{ via: "2001:db8::2" }], scope: 253, flow: 5 },
  },
  {
    kind: "mtu",
    prefix: "2001:db8:10::/48",
    attrs: { nexthops: [{ via: "2001:db8::2" }], metrics: { 2: 1400 } },
  },
  {
    kind: "largest metric",
    prefix: "2001:db8:10::/48",
    metric: 0xffffffff,
    attrs: { nexthops: [{ via: "2001:db8::2" }] },
  },
];
