/**
 * HOT PATH. Is what the kernel shows what we want? Compares the words of a wanted route (attrs-draft.ts draws
 * them) with those of a dumped one, with the few freedoms semantics §3 grants, and none that the kernel does not
 * take: what it changes in a request must never look like a difference, or krtd would write it for ever. All of
 * it is held by test/live/route-codec-metrics against the real kernel (6.18):
 *
 *   wanted scope -1                          any scope
 *   IPv6                                     scope and realm do not exist: the kernel drops them unread
 *   wanted gateway without device (0)        any device: the kernel chose it
 *   wanted device < 0 (does not exist)       never equal
 *   blackhole, unreachable, prohibit, throw  nexthops mean nothing (IPv6 shows them on lo)
 *   an only nexthop                          its weight means nothing (the kernel does not keep it)
 *   mtu, advmss, hoplimit                    cut to 65520, 65495, 255; any other metric is kept, locks too,
 *                                            also those of metrics that are not set; 0 is "not set"
 *   kernel opaque, nexthop with encap        never equal: there is more to it than we understand
 *
 * What the kernel refuses (EINVAL) needs no freedom: unknown congestion algorithms and feature bits, a realm of
 * an IPv4 multipath route, onlink of an IPv4 nexthop without gateway, an IPv6 gateway of ::. An IPv4 gateway of
 * 0.0.0.0 it takes for none; the configuration refuses that. The mtu of an IPv6 route that is not locked follows
 * the device when the device's MTU falls below it, silently; a replace sets it back, and that sticks.
 *
 * Nexthops are multisets. Both sides are sorted, so position by position nearly always succeeds; the rest is
 * matched greedily, exact ones first. Greedy is right: kernel nexthops equal to one exact wanted nexthop are
 * interchangeable, and a kernel nexthop fits at most one kind of wanted nexthop without device.
 */

import {
  ATTRS_FLOW,
  ATTRS_HEADER_WORDS,
  ATTRS_METRICS,
  ATTRS_NEXTHOPS,
  ATTRS_OPAQUE,
  ATTRS_PREFSRC,
  ATTRS_SCOPE,
  ATTRS_TYPE,
  NEXTHOP_DEVICE,
  NEXTHOP_ENCAP,
  NEXTHOP_FAMILY,
  NEXTHOP_FLAGS,
  NEXTHOP_GATEWAY,
  NEXTHOP_WEIGHT,
  NEXTHOP_WORDS,
} from "./attrs-draft.ts";

const RTN_UNICAST = 1;
/** linux/rtnetlink.h: RTAX_*, and the largest value the kernel keeps (net/ipv4/metrics.c). */
const RTAX_MTU = 2;
const LARGEST_MTU = 65535 - 15;
const RTAX_ADVMSS = 8;
const LARGEST_ADVMSS = 65535 - 40;
const RTAX_HOPLIMIT = 10;
const LARGEST_HOPLIMIT = 255;

/** Which kernel nexthops are taken already; scratch, grown to the largest set met. */
let taken = new Uint8Array(64);

/** `wanted[at…]` are interned words, `kernel[0…]` those of a finished draft. */
export function matchAttrs(wanted: Int32Array, at: number, kernel: Int32Array): boolean {
  if (
    kernel[ATTRS_OPAQUE] !== 0 ||
    wanted[at + ATTRS_OPAQUE] !== 0 ||
    wanted[at + ATTRS_TYPE] !== kernel[ATTRS_TYPE] ||
    wanted[at + ATTRS_METRICS] !== kernel[ATTRS_METRICS] ||
    wanted[at + ATTRS_PREFSRC] !== kernel[ATTRS_PREFSRC] ||
    wanted[at + ATTRS_PREFSRC + 1] !== kernel[ATTRS_PREFSRC + 1] ||
    wanted[at + ATTRS_PREFSRC + 2] !== kernel[ATTRS_PREFSRC + 2] ||
    wanted[at + ATTRS_PREFSRC + 3] !== kernel[ATTRS_PREFSRC + 3]
  ) {
    return false;
  }
  // Only IPv4 routes have a scope word.
  if (kernel[ATTRS_SCOPE] !== -1) {
    const scope = wanted[at + ATTRS_SCOPE]!;
    if (scope !== -1 && scope !== kernel[ATTRS_SCOPE]) return false;
    if (wanted[at + ATTRS_FLOW] !== kernel[ATTRS_FLOW]) return false;
  }

  const wantedCount = wanted[at + ATTRS_NEXTHOPS]!;
  const kernelCount = kernel[ATTRS_NEXTHOPS]!;
  const wantedFirst = at + ATTRS_HEADER_WORDS;
  let wantedMetric = wantedFirst + wantedCount * NEXTHOP_WORDS;
  let kernelMetric = ATTRS_HEADER_WORDS + kernelCount * NEXTHOP_WORDS;
  for (let mask = kernel[ATTRS_METRICS]!; mask !== 0; mask &= mask - 1) {
    const value = wanted[wantedMetric++]!;
    const kept = kernel[kernelMetric++]!;
    if (value !== kept && !isCut(31 - Math.clz32(mask & -mask), value, kept)) return false;
  }

  if (kernel[ATTRS_TYPE] !== RTN_UNICAST) return true;
  if (wantedCount !== kernelCount) return false;
  for (let i = 0; i < wantedCount; i++) {
    const offset = i * NEXTHOP_WORDS;
    if (!nexthopFits(wanted, wantedFirst + offset, kernel, ATTRS_HEADER_WORDS + offset, wantedCount)) {
      return wantedCount > 1 && matchUnordered(wanted, wantedFirst, kernel, wantedCount);
    }
  }
  return true;
}

/** Whether `kept` is what the kernel makes of a larger value of that metric. */
function isCut(rtax: number, value: number, kept: number): boolean {
  const largest =
    rtax === RTAX_MTU
      ? LARGEST_MTU
      : rtax === RTAX_ADVMSS
        ? LARGEST_ADVMSS
        : rtax === RTAX_HOPLIMIT
          ? LARGEST_HOPLIMIT
          : -1;
  return kept === largest && value >>> 0 > largest;
}

function matchUnordered(wanted: Int32Array, first: number, kernel: Int32Array, count: number): boolean {
  if (taken.length < count) taken = new Uint8Array(count * 2);
  taken.fill(0, 0, count);
  return takeMatches(wanted, first, kernel, count, false) && takeMatches(wanted, first, kernel, count, true);
}

/** Finds an untaken kernel nexthop for each wanted one with a device, or for each without. */
function takeMatches(
  wanted: Int32Array,
  first: number,
  kernel: Int32Array,
  count: number,
  anyDevice: boolean,
): boolean {
  for (let i = 0; i < count; i++) {
    const w = first + i * NEXTHOP_WORDS;
    if ((wanted[w + NEXTHOP_DEVICE] === 0) !== anyDevice) continue;
    let found = false;
    for (let j = 0; j < count && !found; j++) {
      if (taken[j] !== 0) continue;
      if (!nexthopFits(wanted, w, kernel, ATTRS_HEADER_WORDS + j * NEXTHOP_WORDS, count)) continue;
      taken[j] = 1;
      found = true;
    }
    if (!found) return false;
  }
  return true;
}

/** Whether the kernel's nexthop at `k` is what the wanted one at `w` asks for. */
function nexthopFits(wanted: Int32Array, w: number, kernel: Int32Array, k: number, count: number): boolean {
  const device = wanted[w + NEXTHOP_DEVICE]!;
  const deviceFits =
    device > 0
      ? device === kernel[k + NEXTHOP_DEVICE]
      : device === 0 && (wanted[w + NEXTHOP_FAMILY] !== 0 || kernel[k + NEXTHOP_DEVICE] === 0);
  return (
    deviceFits &&
    wanted[w + NEXTHOP_FAMILY] === kernel[k + NEXTHOP_FAMILY] &&
    wanted[w + NEXTHOP_GATEWAY] === kernel[k + NEXTHOP_GATEWAY] &&
    wanted[w + NEXTHOP_GATEWAY + 1] === kernel[k + NEXTHOP_GATEWAY + 1] &&
    wanted[w + NEXTHOP_GATEWAY + 2] === kernel[k + NEXTHOP_GATEWAY + 2] &&
    wanted[w + NEXTHOP_GATEWAY + 3] === kernel[k + NEXTHOP_GATEWAY + 3] &&
    wanted[w + NEXTHOP_FLAGS] === kernel[k + NEXTHOP_FLAGS] &&
    (count === 1 || wanted[w + NEXTHOP_WEIGHT] === kernel[k + NEXTHOP_WEIGHT]) &&
    wanted[w + NEXTHOP_ENCAP] === 0 &&
    kernel[k + NEXTHOP_ENCAP] === 0
  );
}
