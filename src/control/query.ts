/**
 * Query parameters, read strictly: an unknown or repeated parameter or a bad value is an error that says what
 * would be right, never ignored, because an ignored filter shows routes nobody asked for. Selectors are those
 * of the command line.
 */

import { type IpAddress, parseIp } from "../lib/ip.ts";
import { isPrefix, type Prefix, parsePrefix } from "../lib/prefix.ts";
import type { KernelRouteClass, KernelState } from "../nest/protocol.ts";
import type { RouteType } from "../nest/route.ts";
import { ApiError } from "./api-error.ts";

export const ROUTE_TYPE_NAMES: readonly RouteType[] = [
  "unicast",
  "blackhole",
  "unreachable",
  "prohibit",
  "throw",
];

export const KERNEL_STATES: readonly KernelState[] = [
  "synced",
  "pending",
  "waiting",
  "failed",
  "contested",
  "filtered",
  "learned",
  "none",
];

export const KERNEL_CLASSES: readonly KernelRouteClass[] = ["ours", "redirect", "kernel", "alien", "skipped"];

export class Query {
  private readonly values = new Map<string, string>();

  /** `known` are all parameters this address takes. Throws ApiError 400. */
  constructor(parameters: URLSearchParams, known: readonly string[]) {
    for (const [key, value] of parameters) {
      if (!known.includes(key)) {
        const hint = known.length === 0 ? "It takes none." : `It takes ${known.join(", ")}.`;
        throw bad(`Unknown query parameter "${key}"`, hint);
      }
      if (this.values.has(key)) throw bad(`Query parameter "${key}" is given twice`);
      this.values.set(key, value);
    }
  }

  text(key: string): string | null {
    const value = this.values.get(key);
    if (value === "") throw bad(`Query parameter "${key}" is empty`);
    return value ?? null;
  }

  /** `?all`, `?all=true`, `?all=1`, and the opposites. */
  flag(key: string): boolean {
    const value = this.values.get(key);
    if (value === undefined || value === "0" || value === "false") return false;
    if (value === "" || value === "1" || value === "true") return true;
    throw bad(`Query parameter "${key}" is "${value}"`, "It is true or false.");
  }

  oneOf<T extends string>(key: string, values: readonly T[]): T | null {
    const value = this.text(key);
    if (value === null) return null;
    const found = values.find((v) => v === value);
    if (found === undefined) throw bad(`Unknown ${key} "${value}"`, `It is one of ${values.join(", ")}.`);
    return found;
  }

  address(key: string): IpAddress | null {
    const value = this.text(key);
    if (value === null) return null;
    const address = parseIp(value);
    if (address === null)
      throw bad(`"${value}" is not an IP address`, `Give ${key} as 192.0.2.1 or 2001:db8::1.`);
    return address;
  }

  /** "default" is the default route of both families. */
  prefixes(key: string): readonly Prefix[] | null {
    const value = this.text(key);
    if (value === null) return null;
    if (value === "default") return [DEFAULT4, DEFAULT6];
    return [this.onePrefix(value)];
  }

  prefix(key: string): Prefix | null {
    const value = this.text(key);
    return value === null ? null : this.onePrefix(value);
  }

  /** Throws when more than one of the parameters is given. */
  atMostOne(...keys: readonly string[]): void {
    const given = keys.filter((key) => this.values.has(key));
    if (given.length > 1) throw bad(`Query parameters ${given.join(" and ")} exclude each other`);
  }

  private onePrefix(text: string): Prefix {
    const prefix = parsePrefix(text);
    if (isPrefix(prefix)) return prefix;
    const hint =
      parseIp(text) === null
        ? prefix.suggestion === null
          ? "A prefix is written 192.0.2.0/24 or 2001:db8::/32."
          : `Did you mean ${prefix.suggestion}?`
        : `Write ${prefix.suggestion} for that very prefix, or "for ${text}" to look the address up.`;
    throw bad(prefix.message, hint);
  }
}

const DEFAULT4: Prefix = { family: 4, w0: 0, w1: 0, w2: 0, w3: 0, length: 0 };
const DEFAULT6: Prefix = { family: 6, w0: 0, w1: 0, w2: 0, w3: 0, length: 0 };

function bad(message: string, hint?: string): ApiError {
  return new ApiError(400, "bad-query", message, hint);
}
