/**
 * krt.yaml as plain values, after schema.ts has looked at their types and before their meaning is checked.
 * Everything is optional: what was of the wrong type is reported and then left out, so that the checks of
 * meaning still see the rest.
 */

import type { FilterInput } from "./filter-schema.ts";

export type Duration = string | number;
export type Size = string | number;

export interface NexthopInput {
  via?: string | undefined;
  dev?: string | undefined;
  weight?: number | undefined;
  onlink?: boolean | undefined;
}

export interface RouteInput {
  prefix?: string | undefined;
  via?: string | undefined;
  dev?: string | undefined;
  onlink?: boolean | undefined;
  nexthops?: (NexthopInput | undefined)[] | undefined;
  recursive?: string | undefined;
  type?: "unicast" | "blackhole" | "unreachable" | "prohibit" | "throw" | undefined;
  prefsrc?: string | undefined;
  mtu?: number | undefined;
  metric?: number | undefined;
}

export interface TableInput {
  family?: "ipv4" | "ipv6" | undefined;
}

export interface KernelInput {
  table?: string | undefined;
  "kernel-table"?: string | number | undefined;
  "scan-time"?: Duration | undefined;
  metric?: number | undefined;
  learn?: boolean | "all" | undefined;
  persist?: boolean | undefined;
  "merge-paths"?: boolean | number | undefined;
  import?: string | undefined;
  export?: string | undefined;
  netns?: string | null | undefined;
}

export interface StaticInput {
  table?: string | undefined;
  preference?: number | undefined;
  "check-link"?: boolean | undefined;
  import?: string | undefined;
  routes?: (RouteInput | undefined)[] | null | undefined;
  files?: (string | undefined)[] | null | undefined;
}

export interface DirectInput {
  table?: string | string[] | undefined;
  interfaces?: (string | undefined)[] | null | undefined;
  preference?: number | undefined;
  import?: string | undefined;
}

export interface PipeInput {
  table?: string | undefined;
  "peer-table"?: string | undefined;
  import?: string | undefined;
  export?: string | undefined;
}

export interface PreferredInput {
  preferred?: string | undefined;
}

/** A mapping from names; an entry without content is null. */
type Named<T> = Record<string, T | null | undefined>;

export interface KrtInput {
  "router-id"?: string | null | undefined;
  "protocol-id"?: number | undefined;
  "former-protocol-ids"?: (number | undefined)[] | null | undefined;
  log?:
    | {
        level?: "error" | "warn" | "info" | "debug" | undefined;
        format?: "auto" | "json" | "pretty" | "journal" | undefined;
      }
    | null
    | undefined;
  control?:
    | {
        socket?: string | null | undefined;
        group?: string | number | null | undefined;
        mode?: string | number | undefined;
      }
    | null
    | undefined;
  netlink?:
    | { transport?: "socket" | "node-netlink" | undefined; "rx-buffer"?: Size | undefined }
    | null
    | undefined;
  "graceful-restart"?: { enabled?: boolean | undefined; wait?: Duration | undefined } | null | undefined;
  safety?:
    | { "max-delete-percent"?: number | undefined; protect?: (string | undefined)[] | null | undefined }
    | null
    | undefined;
  tables?: Named<TableInput> | null | undefined;
  device?:
    | {
        "scan-time"?: Duration | undefined;
        "require-address"?: boolean | undefined;
        interfaces?: Named<PreferredInput> | null | undefined;
      }
    | null
    | undefined;
  kernel?: Named<KernelInput> | null | undefined;
  static?: Named<StaticInput> | null | undefined;
  direct?: Named<DirectInput> | null | undefined;
  pipe?: Named<PipeInput> | null | undefined;
  filters?: Named<FilterInput> | null | undefined;
}
