/**
 * The shape of krt.yaml: keys, types, spellings. What needs more than one value to judge (families, names that
 * must exist, host bits) is left to the stages after this. Every leaf's `error` completes the sentence
 * "KEY must be …"; the descriptions end up in config/krt.schema.json, for editors.
 */

import { z } from "zod";
import type { KrtInput } from "./input.ts";

/** Names of tables and protocols. */
export const NAME: RegExp = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/;

const name = z.string({ error: "a name" });

const DURATION = { error: "a duration such as 10s, 500ms or 2m (a bare number is seconds)" };

const duration = z
  .union([z.string().regex(/^[0-9]{1,10}(ms|s|m|h|d)?$/, DURATION), z.number().min(0, DURATION)], DURATION)
  .meta({ description: "A duration: 10s, 500ms, 2m, 1h; a bare number is seconds" });

const SIZE = { error: "a size such as 16MiB or 64KiB (a bare number is bytes)" };

const size = z
  .union([z.string().regex(/^[0-9]{1,16}(B|KiB|MiB|GiB)?$/, SIZE), z.number().min(0, SIZE)], SIZE)
  .meta({ description: "A size: 16MiB, 64KiB; a bare number is bytes" });

const KERNEL_TABLE = { error: "a kernel table: a number from 1 to 4294967295, or a name such as main" };

const GROUP = { error: "the name or number of a group" };

const MODE = { error: 'three octal digits such as "0660"' };

function whole(from: number, to: number, of = ""): z.ZodNumber {
  const error = `a whole number from ${from} to ${to}${of}`;
  return z.number({ error }).int({ error }).min(from, { error }).max(to, { error });
}

const flag = z.boolean({ error: "true or false" });

const policy = z.enum(["all", "none"], { error: "all or none" });

const address = z.string({ error: "an IP address" });

const interfaceName = z.string({ error: "the name of an interface" });

function section<T extends z.core.$ZodLooseShape>(shape: T): z.ZodNullable<z.ZodObject<T, z.core.$strict>> {
  return z.strictObject(shape, { error: "a mapping (key: value)" }).nullable();
}

function named<T extends z.ZodType>(
  entry: T,
  description: string,
): z.ZodOptional<z.ZodNullable<z.ZodRecord<z.ZodString, T>>> {
  return z
    .record(z.string().regex(NAME), entry, { error: "a mapping of names (NAME: {…})" })
    .nullable()
    .optional()
    .meta({ description });
}

const nexthop = z.strictObject(
  {
    via: address.optional().meta({ description: "Gateway, of the prefix's family" }),
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
    via: address.optional().meta({ description: "Gateway, of the prefix's family" }),
    dev: interfaceName.optional().meta({ description: "Interface" }),
    onlink: flag.optional().meta({ description: "Take the gateway as directly reachable on dev" }),
    nexthops: z
      .array(nexthop, { error: "a list of nexthops" })
      .optional()
      .meta({ description: "Several nexthops share the traffic by weight" }),
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

const table = z.strictObject(
  { family: z.enum(["ipv4", "ipv6"], { error: "ipv4 or ipv6" }).meta({ description: "Address family" }) },
  { error: "a mapping such as {family: ipv4}" },
);

const kernel = section({
  table: name.optional().meta({ description: "krtd's table; default master4" }),
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
  import: policy.optional().meta({ description: "Kernel to table" }),
  export: policy.optional().meta({ description: "Table to kernel" }),
});

const staticRoutes = section({
  table: name.optional().meta({ description: "krtd's table; default master4" }),
  preference: whole(0, 65535).optional().meta({ description: "The highest wins; default 200" }),
  routes: z.array(route, { error: "a list of routes" }).nullable().optional(),
  files: z
    .array(z.string({ error: "the name of a file, * and ? allowed" }), { error: "a list of file names" })
    .nullable()
    .optional()
    .meta({ description: "Files with one route a line, relative to this file; * ? [a-z] match" }),
});

const root = z.strictObject(
  {
    "router-id": address
      .nullable()
      .optional()
      .meta({ description: "An IPv4 address that names this router" }),
    "protocol-id": whole(5, 255)
      .optional()
      .meta({ description: "rtm_protocol of krtd's routes; default 120" }),
    log: section({
      level: z.enum(["error", "warn", "info", "debug"], { error: "error, warn, info or debug" }).optional(),
      format: z
        .enum(["auto", "json", "pretty", "journal"], { error: "auto, json, pretty or journal" })
        .optional(),
    }).optional(),
    control: section({
      socket: z
        .string({ error: "the path of a socket" })
        .nullable()
        .optional()
        .meta({ description: "Path of the control socket" }),
      group: z
        .union([z.string().min(1, GROUP), z.number().int(GROUP).min(0, GROUP)], GROUP)
        .nullable()
        .optional()
        .meta({ description: "Group that owns the control socket" }),
      mode: z
        .union([z.string().regex(/^(0o?)?[0-7]{3}$/, MODE), z.number()], MODE)
        .optional()
        .meta({ description: 'Permissions of the control socket, octal; default "0660"' }),
    }).optional(),
    netlink: section({
      transport: z
        .enum(["socket", "node-netlink"], { error: "socket or node-netlink" })
        .optional()
        .meta({ description: "How the kernel is reached" }),
      "rx-buffer": size.optional(),
    }).optional(),
    tables: named(table, "Tables of krtd beside master4 and master6"),
    device: section({
      "scan-time": duration.optional(),
      "require-address": flag.optional().meta({ description: "An interface without address counts as down" }),
    }).optional(),
    kernel: named(kernel, "Kernel protocols: each joins a table of krtd and one of the kernel"),
    static: named(staticRoutes, "Static protocols: routes given here and in files"),
  },
  { error: "a mapping (key: value)" },
);

/** The same, typed by hand in input.ts; the compiler holds the two together. */
export const krtSchema: z.ZodType<KrtInput> = root;

/** Keys that belong to the design but not to this version, by the mapping they stand in ("" is the root). */
export const LATER_KEYS: Readonly<Record<string, readonly string[]>> = {
  "": ["direct", "pipe", "filters", "safety", "metrics", "graceful-restart", "former-protocol-ids"],
  control: ["read-only-socket"],
  device: ["interfaces"],
  "kernel.*": ["merge-paths", "netns"],
  "static.*": ["check-link"],
  "static.*.routes.*": ["recursive"],
};

/** The keys that may stand in the mapping at `path`; none when it is not one with fixed keys. */
export function keysAt(path: readonly PropertyKey[]): string[] {
  let at: unknown = root;
  for (const step of path) {
    at = bare(at);
    if (at instanceof z.ZodObject) at = at.shape[String(step)];
    else if (at instanceof z.ZodRecord) at = at.valueType;
    else if (at instanceof z.ZodArray) at = at.element;
    else return [];
  }
  at = bare(at);
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

function bare(schema: unknown): unknown {
  let at = schema;
  while (at instanceof z.ZodOptional || at instanceof z.ZodNullable) at = at.unwrap();
  return at;
}
