/**
 * The shape of `filters:` in krt.yaml: names, each with a list of rules. Most keys of a match take one value or a list
 * of them; what such values must be is for filter-match.ts to say, which can name the one item that is wrong.
 */

import { z } from "zod";
import { address, section, whole } from "./schema-leaves.ts";

export type FilterScalar = string | number | boolean | null;

/** One value or a list of them, not looked at yet. */
export type FilterItems = FilterScalar | FilterScalar[];

export interface FilterMatchInput {
  prefix?: FilterItems | undefined;
  source?: FilterItems | undefined;
  "source-type"?: FilterItems | undefined;
  protocol?: FilterItems | undefined;
  type?: FilterItems | undefined;
  gateway?: FilterItems | undefined;
  dev?: FilterItems | undefined;
  metric?: FilterItems | undefined;
  preference?: FilterItems | undefined;
}

export interface FilterSetInput {
  metric?: number | null | undefined;
  preference?: number | undefined;
  prefsrc?: string | null | undefined;
  scope?: string | number | null | undefined;
  realm?: number | null | undefined;
  mtu?: number | null | undefined;
  advmss?: number | null | undefined;
  window?: number | null | undefined;
  rtt?: string | number | null | undefined;
  rttvar?: string | number | null | undefined;
  "rto-min"?: string | number | null | undefined;
  rto_min?: string | number | null | undefined;
  ssthresh?: number | null | undefined;
  cwnd?: number | null | undefined;
  initcwnd?: number | null | undefined;
  initrwnd?: number | null | undefined;
  reordering?: number | null | undefined;
  hoplimit?: number | null | undefined;
  features?: FilterItems | undefined;
  quickack?: boolean | number | null | undefined;
  "fastopen-no-cookie"?: boolean | number | null | undefined;
  fastopen_no_cookie?: boolean | number | null | undefined;
  congctl?: string | null | undefined;
  lock?: FilterItems | undefined;
}

export interface FilterRuleInput {
  match?: FilterMatchInput | null | undefined;
  set?: FilterSetInput | null | undefined;
  action?: "accept" | "reject" | undefined;
}

/** The rules of one filter; one that was no rule at all is left out. */
export type FilterInput = (FilterRuleInput | undefined)[];

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);

/** What editors are told of an item. */
type ItemSchema = Readonly<Record<string, unknown>>;

const TEXT: ItemSchema = { type: "string" };
const TEXT_OR_NUMBER: ItemSchema = { type: ["string", "number"] };
const oneOf = (...names: readonly string[]): ItemSchema => ({ enum: names });

/** One value or a list; `error` completes "KEY must be …". */
function items(error: string, description: string, item: ItemSchema) {
  const anyOf = [item, { type: "array", items: item }];
  return z
    .union([scalar, z.array(scalar)], { error: `${error}, or a list of such` })
    .optional()
    .meta({ description, anyOf });
}

const match: z.ZodType<FilterMatchInput | null> = section({
  prefix: items(
    "a prefix pattern such as 192.0.2.0/24+",
    "192.0.2.0/24 that prefix; 192.0.2.0/24+ and all within it; 192.0.2.0/24- and all that contain it; 192.0.2.0/24{24,28} within it with such a length",
    TEXT,
  ),
  source: items("the name of a protocol", "Protocols that announced the route; * and ? match", TEXT),
  "source-type": items(
    "static, direct, inherit or pipe",
    "Kind of what announced it; inherit: learned from the kernel",
    oneOf("static", "direct", "inherit", "pipe"),
  ),
  protocol: items(
    "a number from 1 to 255 or a name such as zebra",
    "rtm_protocol of a learned route",
    TEXT_OR_NUMBER,
  ),
  type: items(
    "unicast, blackhole, unreachable, prohibit or throw",
    "What is done with packets",
    oneOf("unicast", "blackhole", "unreachable", "prohibit", "throw"),
  ),
  gateway: items(
    "an IP address or a prefix",
    "A nexthop's gateway is this address or lies in this prefix",
    TEXT,
  ),
  dev: items("the name of an interface", "A nexthop's interface; * and ? match", TEXT),
  metric: items("a number or a range such as 10-20", "Kernel metric; 0: none of its own", TEXT_OR_NUMBER),
  preference: items("a number or a range such as 100-200", "krtd's own ranking of routes", TEXT_OR_NUMBER),
});

const MTU = "0 or a whole number from 68 to 65520";
const FLAG = { error: "true or false" };
const SCOPE = "global, site, link, host or a number from 0 to 255";

/** A whole number as one of several things a value may be: zod may report the error of that one alone. */
function number(from: number, to: number, error: string) {
  return z.number({ error }).int({ error }).min(from, { error }).max(to, { error });
}

const u32 = (description: string) => whole(0, 4294967295).nullable().optional().meta({ description });

const onOff = (description: string) =>
  z
    .union([z.boolean(), z.literal(0), z.literal(1)], FLAG)
    .nullable()
    .optional()
    .meta({ description });

/** A time that the kernel keeps in 32 bits, in parts of a millisecond. */
function milliseconds(parts: number, description: string) {
  const to = Math.floor(4294967295 / parts);
  const error = `a time in milliseconds up to ${to}, or one such as 50ms or 1s`;
  return z
    .union([z.string().regex(/^[0-9]{1,10}(ms|s)$/, { error }), number(0, to, error)], { error })
    .nullable()
    .optional()
    .meta({ description });
}

const set: z.ZodType<FilterSetInput | null> = section({
  metric: u32("Kernel metric; 0 or null: that of the kernel protocol"),
  preference: whole(0, 65535).optional().meta({ description: "The highest wins" }),
  prefsrc: address.nullable().optional().meta({ description: "Preferred source address; null: none" }),
  scope: z
    .union([z.string(), number(0, 255, SCOPE)], { error: SCOPE })
    .nullable()
    .optional()
    .meta({ description: "Scope of IPv4 routes; null: as the nexthops need" }),
  realm: u32("Realm of IPv4 routes"),
  mtu: z
    .union([z.literal(0), number(68, 65520, MTU)], { error: MTU })
    .nullable()
    .optional()
    .meta({ description: "Path MTU in bytes; IPv6 takes 1280 and more" }),
  advmss: whole(0, 65495)
    .nullable()
    .optional()
    .meta({ description: "TCP segment size to announce, in bytes" }),
  window: u32("Greatest TCP window to announce, in bytes"),
  rtt: milliseconds(8, "Round trip time at the start, in milliseconds"),
  rttvar: milliseconds(4, "Its variance at the start, in milliseconds"),
  "rto-min": milliseconds(1, "Shortest TCP retransmission timeout, in milliseconds"),
  rto_min: milliseconds(1, "The same as rto-min"),
  ssthresh: u32("Slow start threshold at the start, in segments"),
  cwnd: u32("Greatest congestion window, in segments; heeded where locked"),
  initcwnd: u32("Congestion window at the start, in segments"),
  initrwnd: u32("Receive window at the start, in segments"),
  reordering: u32("Reordering at the start, in segments"),
  hoplimit: whole(0, 255).nullable().optional().meta({ description: "Hop limit of packets sent" }),
  features: items("ecn or tcp-usec-ts", "TCP features", oneOf("ecn", "tcp-usec-ts", "tcp_usec_ts")),
  quickack: onOff("Acknowledge at once"),
  "fastopen-no-cookie": onOff("TCP fast open without a cookie"),
  fastopen_no_cookie: onOff("The same as fastopen-no-cookie"),
  congctl: z
    .string({ error: "the name of a congestion algorithm such as bbr" })
    .nullable()
    .optional()
    .meta({ description: "TCP congestion algorithm" }),
  lock: items("the name of a metric such as mtu", "Metrics that the kernel must not change by itself", TEXT),
});

const rule = z.strictObject(
  {
    match: match.optional().meta({ description: "All keys must fit; without any, all routes do" }),
    set: set.optional().meta({ description: "What to change in a route that passes" }),
    action: z
      .enum(["accept", "reject"], { error: "accept or reject" })
      .meta({ description: "Whether the route passes" }),
  },
  { error: "a mapping such as {match: {source: uplinks}, action: accept}" },
);

/** One filter: the first rule that fits decides. */
export const filterEntry: z.ZodType<FilterInput | null> = z
  .array(rule, { error: "a list of rules" })
  .nullable();
