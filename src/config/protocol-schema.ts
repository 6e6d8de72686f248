/** The shapes of the protocols in krt.yaml: one entry under kernel:, static:, direct: and pipe:. */

import { z } from "zod";
import type { DirectInput, KernelInput, PipeInput, StaticInput } from "./input.ts";
import {
  address,
  duration,
  filterName,
  flag,
  interfaceName,
  name,
  preference,
  section,
  whole,
} from "./schema-leaves.ts";

const KERNEL_TABLE = { error: "a kernel table: a number from 1 to 4294967295, or a name such as main" };

const MERGE_PATHS = { error: "true, false or a whole number from 2 to 128 (IPv6: 64)" };

const TABLES = { error: "the name of a table or a list of such names" };

const table = name.optional().meta({ description: "krtd's table; default master4" });

export const kernelEntry: z.ZodType<KernelInput | null> = section({
  table,
  "kernel-table": z
    .union(
      [
        z.string().min(1, KERNEL_TABLE),
        z.number().int(KERNEL_TABLE).min(1, KERNEL_TABLE).max(4294967295, KERNEL_TABLE),
      ],
      KERNEL_TABLE,
    )
    .optional()
    .meta({ description: "The kernel's table, number or name; default main" }),
  "scan-time": duration
    .optional()
    .meta({ description: "Time between scans; 0: at start and on demand only" }),
  metric: whole(0, 4294967295)
    .optional()
    .meta({ description: "Metric of routes without one of their own; default 32" }),
  learn: z
    .union([z.boolean(), z.literal("all")], { error: "true, false or all" })
    .optional()
    .meta({ description: "Import the routes of other programs; all: the kernel's own too" }),
  persist: flag.optional().meta({ description: "Leave the routes in the kernel at stop" }),
  "merge-paths": z
    .union([z.boolean(), z.number().int(MERGE_PATHS).min(2, MERGE_PATHS).max(128, MERGE_PATHS)], MERGE_PATHS)
    .optional()
    .meta({
      description:
        "Equally good routes to a prefix become one with up to so many nexthops; true: as many as possible",
    }),
  import: filterName.optional().meta({ description: "Kernel to table: all, none or a filter" }),
  export: filterName.optional().meta({ description: "Table to kernel: all, none or a filter" }),
  netns: z
    .string({ error: "the name of a network namespace or the absolute path of one" })
    .nullable()
    .optional()
    .meta({ description: "Network namespace of the kernel table: a name of `ip netns` or an absolute path" }),
});

const nexthop = z.strictObject(
  {
    via: address.optional().meta({ description: "Gateway; an IPv4 prefix may have an IPv6 one" }),
    dev: interfaceName.optional().meta({ description: "Interface" }),
    weight: whole(1, 256).optional().meta({ description: "Share of the traffic; default 1" }),
    onlink: flag.optional().meta({ description: "Take the gateway as directly reachable on dev" }),
  },
  { error: "a mapping such as {via: 192.0.2.1, weight: 2}" },
);

const route = z.strictObject(
  {
    prefix: z
      .string({ error: "a prefix such as 192.0.2.0/24 or 2001:db8::/32, or default" })
      .meta({ description: "ADDRESS/LENGTH without host bits, or default" }),
    via: address.optional().meta({ description: "Gateway; an IPv4 prefix may have an IPv6 one" }),
    dev: interfaceName.optional().meta({ description: "Interface" }),
    onlink: flag.optional().meta({ description: "Take the gateway as directly reachable on dev" }),
    nexthops: z
      .array(nexthop, { error: "a list of nexthops" })
      .optional()
      .meta({ description: "Several nexthops share the traffic by weight" }),
    recursive: address
      .optional()
      .meta({ description: "Go where packets to this address go, by the same table" }),
    type: z
      .enum(["unicast", "blackhole", "unreachable", "prohibit", "throw"], {
        error: "unicast, blackhole, unreachable, prohibit or throw",
      })
      .optional()
      .meta({ description: "unicast forwards; the others discard, with or without telling the sender" }),
    prefsrc: address.optional().meta({ description: "Preferred source address, one of this host" }),
    mtu: whole(68, 65520, " (IPv6: from 1280)").optional().meta({ description: "Path MTU in bytes" }),
    metric: whole(1, 4294967295)
      .optional()
      .meta({ description: "Kernel metric; default: that of the kernel protocol" }),
  },
  { error: "a mapping such as {prefix: 192.0.2.0/24, via: 192.0.2.1}" },
);

export const staticEntry: z.ZodType<StaticInput | null> = section({
  table,
  preference: preference.optional().meta({ description: "The highest wins; default 200" }),
  "check-link": flag
    .optional()
    .meta({ description: "A nexthop counts only while the link of its interface is up" }),
  import: filterName.optional().meta({ description: "Protocol to table: all, none or a filter" }),
  routes: z.array(route, { error: "a list of routes" }).nullable().optional(),
  files: z
    .array(z.string({ error: "the name of a file, * and ? allowed" }), { error: "a list of file names" })
    .nullable()
    .optional()
    .meta({ description: "Files with one route a line, relative to this file; * ? [a-z] match" }),
});

export const directEntry: z.ZodType<DirectInput | null> = section({
  table: z
    .union([z.string(), z.array(z.string())], TABLES)
    .optional()
    .meta({ description: "krtd's tables, at most one per family; default master4 and master6" }),
  interfaces: z
    .array(z.string({ error: "a pattern of interface names" }), { error: "a list of patterns" })
    .nullable()
    .optional()
    .meta({
      description: "Patterns of interface names with * and ?; one that begins with ! excludes",
    }),
  preference: preference.optional().meta({ description: "The highest wins; default 240" }),
  import: filterName.optional().meta({ description: "Protocol to table: all, none or a filter" }),
});

export const pipeEntry: z.ZodType<PipeInput> = z.strictObject(
  {
    table,
    "peer-table": name.meta({ description: "The table at the other end, of the same family" }),
    import: filterName
      .optional()
      .meta({ description: "Peer table to table: all (default), none or a filter" }),
    export: filterName
      .optional()
      .meta({ description: "Table to peer table: all (default), none or a filter" }),
  },
  { error: "a mapping such as {table: master4, peer-table: blue4}" },
);
