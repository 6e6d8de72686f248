/**
 * Mutations of netlink messages for the fuzz runs: seeded, so that a failure can be had again, and aware of how a
 * message is built (attributes, nests, rtnexthops), as random bytes alone are refused at the first length.
 */

/** mulberry32: 32 bits of state, good enough to choose mutations. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * limit);
  }

  pick<T>(of: readonly T[]): T {
    return of[this.below(of.length)]!;
  }
}

/** One attribute or rtnexthop found in a message, wherever it is nested. */
interface Part {
  readonly at: number;
  readonly length: number;
}

const RTA_METRICS = 8;
const RTA_MULTIPATH = 9;
const IFLA_LINKINFO = 18;

/** All attributes from `at`, those in nests and nexthops among them. */
function partsOf(bytes: Uint8Array, at: number, end: number, parts: Part[] = [], depth = 0): Part[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = at; i + 4 <= end; ) {
    const length = view.getUint16(i, true);
    if (length < 4 || i + length > end) break;
    parts.push({ at: i, length });
    const type = view.getUint16(i + 2, true) & 0x3fff;
    if (depth < 2 && (type === RTA_METRICS || type === IFLA_LINKINFO)) {
      partsOf(bytes, i + 4, i + length, parts, depth + 1);
    } else if (depth === 0 && type === RTA_MULTIPATH) {
      for (let hop = i + 4; hop + 8 <= i + length; ) {
        const size = view.getUint16(hop, true);
        if (size < 8 || hop + size > i + length) break;
        parts.push({ at: hop, length: size });
        partsOf(bytes, hop + 8, hop + size, parts, depth + 1);
        hop += (size + 3) & ~3;
      }
    }
    i += (length + 3) & ~3;
  }
  return parts;
}

const LENGTHS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 20, 36, 0x7fff, 0x8000, 0xfffc, 0xffff];
const BYTES = [0, 1, 2, 4, 5, 10, 32, 33, 127, 128, 129, 254, 255];

/** A message's header before its attributes is `header` bytes long. The result is a new array. */
export function mutate(
  source: Uint8Array,
  header: number,
  others: readonly Uint8Array[],
  random: Random,
): Uint8Array {
  let bytes: Uint8Array = source.slice();
  for (let rounds = 1 + random.below(4); rounds > 0; rounds--)
    bytes = mutateOnce(bytes, header, others, random);
  return bytes;
}

function mutateOnce(
  bytes: Uint8Array,
  header: number,
  others: readonly Uint8Array[],
  random: Random,
): Uint8Array {
  if (bytes.length === 0) return bytes;
  const parts = partsOf(bytes, Math.min(header, bytes.length), bytes.length);
  const part = parts.length === 0 ? { at: 0, length: Math.min(4, bytes.length) } : random.pick(parts);
  const view = new DataView(bytes.buffer);
  const end = Math.min(bytes.length, part.at + ((part.length + 3) & ~3));
  const inRange = part.at + 4 <= bytes.length;
  switch (random.below(15)) {
    case 0:
      bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
      return bytes;
    case 1:
      bytes[random.below(bytes.length)] = random.pick(BYTES);
      return bytes;
    case 2:
      return bytes.slice(0, random.below(bytes.length + 1));
    case 3:
      if (inRange) view.setUint16(part.at, random.pick(LENGTHS), true);
      return bytes;
    case 4:
      if (inRange) view.setUint16(part.at, (part.length + random.below(9) - 4) & 0xffff, true);
      return bytes;
    case 5:
      // NLA_F_NESTED, NLA_F_NET_BYTEORDER
      if (inRange)
        view.setUint16(part.at + 2, view.getUint16(part.at + 2, true) ^ (0x4000 << random.below(2)), true);
      return bytes;
    case 6:
      if (inRange) view.setUint16(part.at + 2, random.below(random.pick([64, 0x10000])), true);
      return bytes;
    case 7:
      return joined(bytes.subarray(0, end), bytes.subarray(part.at));
    case 8:
      return joined(bytes.subarray(0, part.at), bytes.subarray(end));
    case 9: {
      const other = random.pick(others);
      return joined(bytes.subarray(0, part.at), other.subarray(random.below(other.length) & ~3));
    }
    case 10: {
      const count = 1 + random.below(random.pick([4, 64, 400]));
      const repeated = Array.from({ length: count }, () => bytes.subarray(part.at, end));
      return joined(bytes.subarray(0, end), ...repeated, bytes.subarray(end)).slice(0, 65_000);
    }
    case 11:
      bytes[random.below(Math.min(header, bytes.length))] = random.pick(BYTES);
      return bytes;
    case 12:
      bytes.fill(random.pick(BYTES), part.at + Math.min(4, part.length), end);
      return bytes;
    case 13: {
      // The last attribute takes all that follows as its own.
      const more = Uint8Array.from({ length: random.below(80) }, () => random.below(256));
      const longer = joined(bytes, more);
      if (inRange) new DataView(longer.buffer).setUint16(part.at, (longer.length - part.at) & 0xffff, true);
      return longer;
    }
    default: {
      const from = random.below(bytes.length);
      for (let i = from; i < Math.min(bytes.length, from + 16); i++) bytes[i] = random.below(256);
      return bytes;
    }
  }
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/**
 * Runs `check` for each number from `first`, and on a failure says which: the same seed and number do the same again.
 */
export function fuzz(seed: number, runs: number, check: (random: Random, run: number) => void): void {
  for (let run = 0; run < runs; run++) {
    try {
      check(new Random((seed ^ Math.imul(run + 1, 0x9e3779b1)) >>> 0), run);
    } catch (error) {
      throw new Error(
        `KRTD_FUZZ_SEED=${seed} run ${run}: ${error instanceof Error ? error.message : String(error)}`,
        {
          cause: error,
        },
      );
    }
  }
}

/** Mutations to do in all: a bounded share of `usual`, or what KRTD_FUZZ_RUNS says. */
export function fuzzRuns(usual: number, share: number): number {
  return Math.ceil(Number(process.env["KRTD_FUZZ_RUNS"] ?? usual) * share);
}

/** KRTD_FUZZ_SEED, or one that is new with each run. */
export function fuzzSeed(): number {
  return Number(process.env["KRTD_FUZZ_SEED"] ?? Date.now() % 0x7fffffff);
}
