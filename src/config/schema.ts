/**
 * The shape of krt.yaml: keys, types, spellings. What needs more than one value to judge (families, names that
 * must exist, host bits) is left to the stages after this. The descriptions end up in config/krt.schema.json, for
 * editors.
 */

import { z } from "zod";
import { filterEntry } from "./filter-schema.ts";
import type { KrtInput } from "./input.ts";
import { directEntry, kernelEntry, pipeEntry, staticEntry } from "./protocol-schema.ts";
import { address, duration, flag, named, section, size, whole } from "./schema-leaves.ts";

const PATTERN = "a prefix pattern such as 192.0.2.0/24+";

const GROUP = { error: "the name or number of a group" };

const MODE = { error: 'three octal digits such as "0660"' };

const table = z.strictObject(
  { family: z.enum(["ipv4", "ipv6"], { error: "ipv4 or ipv6" }).meta({ description: "Address family" }) },
  { error: "a mapping such as {family: ipv4}" },
);

const preferredAddress = z.strictObject(
  { preferred: address.meta({ description: "An address of the interface" }) },
  { error: "a mapping such as {preferred: 192.0.2.10}" },
);

const root = z.strictObject(
  {
    "router-id": address
      .nullable()
      .optional()
      .meta({ description: "An IPv4 address that names this router" }),
    "protocol-id": whole(5, 255)
      .optional()
      .meta({ description: "rtm_protocol of krtd's routes; default 120" }),
    "former-protocol-ids": z
      .array(whole(5, 255), { error: "a list of numbers" })
      .nullable()
      .optional()
      .meta({ description: "Numbers that krtd's routes had before: such routes are krtd's own" }),
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
    "graceful-restart": section({
      enabled: flag
        .optional()
        .meta({ description: "After a start delete nothing before every source of routes has fed" }),
      wait: duration.optional().meta({ description: "But at most for this time; default 240s" }),
    }).optional(),
    safety: section({
      "max-delete-percent": whole(1, 100).optional().meta({
        description:
          "A change or a scan that would delete more of krtd's routes asks first; 100 never; default 50",
      }),
      protect: z
        .array(z.string({ error: PATTERN }), { error: "a list of prefix patterns" })
        .nullable()
        .optional()
        .meta({
          description:
            "Prefixes where krtd deletes and replaces nothing: 192.0.2.0/24 that one, 192.0.2.0/24+ and all within it, default",
        }),
    }).optional(),
    tables: named(table, "Tables of krtd beside master4 and master6"),
    device: section({
      "scan-time": duration.optional(),
      "require-address": flag.optional().meta({ description: "An interface without address counts as down" }),
      interfaces: z
        .record(z.string(), preferredAddress, { error: "a mapping of patterns (PATTERN: {preferred: …})" })
        .nullable()
        .optional()
        .meta({ description: "Interfaces by pattern (* and ?), the first that fits decides" }),
    }).optional(),
    kernel: named(kernelEntry, "Kernel protocols: each joins a table of krtd and one of the kernel"),
    static: named(staticEntry, "Static protocols: routes given here and in files"),
    direct: named(directEntry, "Direct protocols: the networks of the interfaces"),
    pipe: named(pipeEntry, "Pipe protocols: each joins two tables of krtd"),
    filters: named(filterEntry, "Filters: lists of rules, the first that fits a route decides"),
  },
  { error: "a mapping (key: value)" },
);

/** The same, typed by hand in input.ts; the compiler holds the two together. */
export const krtSchema: z.ZodType<KrtInput> = root;

/** Keys that belong to the design but not to this version, by the mapping they stand in ("" is the root). */
export const LATER_KEYS: Readonly<Record<string, readonly string[]>> = {
  "": ["metrics"],
  control: ["read-only-socket"],
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
