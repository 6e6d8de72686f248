/**
 * The `set` of a filter rule: what becomes of a route that passes, in the kernel's words. 0, null and false take a
 * value away. Times are written in milliseconds; the kernel keeps rtt in eighths and rttvar in quarters of one.
 */

import { congestionId } from "../lib/congestion-names.ts";
import type { IpAddress } from "../lib/ip.ts";
import { scopeNames, scopeNumber } from "../lib/kernel-names.ts";
import type { FilterSet } from "../nest/filter-rules.ts";
import { type ItemReader, mustBe, nameReader, readItems } from "./filter-items.ts";
import type { FilterItems, FilterSetInput } from "./filter-schema.ts";
import type { Problem } from "./problems.ts";
import { hostComplaint, isComplaint, readAddress } from "./spec-rules.ts";
import type { Path, Tree } from "./tree.ts";

/** linux/rtnetlink.h: RTAX_*, by their keys here; iproute2 spells them with "_". */
const RTAX = {
  lock: 1,
  mtu: 2,
  window: 3,
  rtt: 4,
  rttvar: 5,
  ssthresh: 6,
  cwnd: 7,
  advmss: 8,
  reordering: 9,
  hoplimit: 10,
  initcwnd: 11,
  features: 12,
  "rto-min": 13,
  initrwnd: 14,
  quickack: 15,
  congctl: 16,
  "fastopen-no-cookie": 17,
} as const;

type MetricKey = keyof typeof RTAX;

const LOCKABLE = (Object.keys(RTAX) as MetricKey[]).filter((key) => key !== "lock");

/** Kept as they are written. */
const PLAIN = ["mtu", "advmss", "window", "ssthresh", "cwnd", "initcwnd", "initrwnd", "reordering"] as const;

/** What the kernel has for a millisecond. */
const PARTS = { rtt: 8, rttvar: 4, "rto-min": 1 } as const;

/** linux/rtnetlink.h: RTAX_FEATURE_* that the kernel lets a route have; the second since Linux 6.7. */
const FEATURES: Readonly<Record<string, number>> = { ecn: 1, "tcp-usec-ts": 16 };

/** tcp.h: TCP_CA_NAME_MAX, with a NUL. */
const CONGESTION_NAME = /^[!-~]{1,15}$/;

const readFeature = bitReader(
  "features",
  "ecn or tcp-usec-ts",
  Object.keys(FEATURES),
  (name) => FEATURES[name]!,
);
const readLock = bitReader("lock", "the name of a metric such as mtu", LOCKABLE, (name) => 1 << RTAX[name]);

/** What was right of it; incomplete when there are problems. */
export function readSet(given: FilterSetInput, path: Path, tree: Tree, problems: Problem[]): FilterSet {
  const reader = new SetReader(given, path, tree, problems);
  const prefsrc = reader.prefsrc();
  const scope = reader.scope();
  const metrics = reader.metrics();
  const { metric, preference, realm } = given;
  return {
    ...(metric !== undefined && { metric: metric ?? 0 }),
    ...(preference !== undefined && { preference }),
    ...(prefsrc !== undefined && { prefsrc }),
    ...(scope !== undefined && { scope }),
    ...(realm !== undefined && { realm: realm ?? 0 }),
    ...(metrics.size > 0 && { metrics }),
  };
}

class SetReader {
  private readonly given: FilterSetInput;
  private readonly path: Path;
  private readonly tree: Tree;
  private readonly problems: Problem[];

  constructor(given: FilterSetInput, path: Path, tree: Tree, problems: Problem[]) {
    this.given = given;
    this.path = path;
    this.tree = tree;
    this.problems = problems;
  }

  prefsrc(): IpAddress | null | undefined {
    const { prefsrc } = this.given;
    if (prefsrc === undefined || prefsrc === null) return prefsrc;
    const address = readAddress("prefsrc", prefsrc);
    const wrong = isComplaint(address) ? address : hostComplaint("prefsrc", address);
    if (wrong !== null) this.report("prefsrc", wrong.message, wrong.hint);
    return isComplaint(address) ? undefined : address;
  }

  scope(): number | null | undefined {
    const { scope } = this.given;
    if (typeof scope !== "string") return scope;
    const number = /^[0-9]{1,3}$/.test(scope) ? Number(scope) : scopeNumber(scope);
    if (number !== null && number <= 255) return number;
    const { message, hint } = mustBe(
      "scope",
      "global, site, link, host or a number from 0 to 255",
      scope,
      scopeNames(),
    );
    this.report("scope", message, hint);
    return undefined;
  }

  /** By RTAX_* number; 0: none. */
  metrics(): ReadonlyMap<number, number> {
    const { given } = this;
    const metrics = new Map<number, number>();
    const put = (key: MetricKey, value: number | null | undefined) => {
      if (value !== undefined) metrics.set(RTAX[key], value ?? 0);
    };
    for (const key of PLAIN) put(key, given[key]);
    put("hoplimit", given.hoplimit);
    put("rtt", this.milliseconds("rtt", given.rtt));
    put("rttvar", this.milliseconds("rttvar", given.rttvar));
    const minimum = this.either("rto-min", "rto_min");
    put("rto-min", this.milliseconds("rto-min", minimum));
    put("quickack", toBit(given.quickack));
    put("fastopen-no-cookie", toBit(this.either("fastopen-no-cookie", "fastopen_no_cookie")));
    put("features", this.bits("features", given.features, readFeature));
    put("congctl", this.congestion());
    put("lock", this.bits("lock", given.lock, readLock));
    return metrics;
  }

  /** What stands under the one spelling of a key or the other. */
  private either<K extends "rto-min" | "fastopen-no-cookie", L extends "rto_min" | "fastopen_no_cookie">(
    key: K,
    alias: L,
  ): FilterSetInput[K] | FilterSetInput[L] {
    const { given } = this;
    if (given[key] !== undefined && given[alias] !== undefined) {
      const message = `${alias} and ${key} are the same`;
      this.problems.push(this.tree.atKey([...this.path, alias], message, "remove one of them"));
    }
    return given[key] === undefined ? given[alias] : given[key];
  }

  private milliseconds(
    key: keyof typeof PARTS,
    written: string | number | null | undefined,
  ): number | null | undefined {
    if (written === undefined || written === null) return written;
    const [, digits, unit] = /^([0-9]+)(ms|s)$/.exec(String(written)) ?? [];
    const ms = typeof written === "number" ? written : Number(digits) * (unit === "s" ? 1000 : 1);
    const limit = Math.floor(0xffffffff / PARTS[key]);
    if (ms <= limit) return ms * PARTS[key];
    this.report(key, `${key} must be at most ${limit}ms, not ${written}`, null);
    return undefined;
  }

  private bits(key: string, given: FilterItems | undefined, read: ItemReader<number>): number | undefined {
    if (given === null || (Array.isArray(given) && given.length === 0)) return 0;
    const { tree, problems } = this;
    const bits = readItems(given, { key, path: [...this.path, key], tree, problems }, read);
    return bits?.reduce((sum, bit) => sum | bit, 0);
  }

  private congestion(): number | null | undefined {
    const { congctl } = this.given;
    if (congctl === undefined || congctl === null) return congctl;
    if (CONGESTION_NAME.test(congctl)) return congestionId(congctl);
    const { message } = mustBe("congctl", "the name of a congestion algorithm such as bbr", congctl);
    this.report("congctl", message, null);
    return undefined;
  }

  private report(key: string, message: string, hint: string | null): void {
    this.problems.push(this.tree.atValue([...this.path, key], message, hint));
  }
}

function toBit(on: boolean | number | null | undefined): number | null | undefined {
  return typeof on === "boolean" ? Number(on) : on;
}

/** Names that stand for bits, also as iproute2 spells them. */
function bitReader<T extends string>(
  key: string,
  what: string,
  names: readonly T[],
  bit: (name: T) => number,
): ItemReader<number> {
  const read = nameReader(key, what, names);
  return (item) => {
    const found = read(typeof item === "string" ? item.replaceAll("_", "-") : item);
    return "message" in found ? found : found.map(bit);
  };
}
