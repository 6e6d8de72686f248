/**
 * The routes that everybody is measured with: distinct prefixes with the lengths of the Internet's tables (IPv4: six of
 * ten are a /24; IPv6: half are a /48), spread over unicast space, through 50 gateways on one link. They come from a
 * seed, so every run and every machine has the same. Written once in the language of each program.
 */

import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { join } from "node:path";

export type Family = 4 | 6;

/** The link in the benchmark's namespace; the gateways are on it. */
export const DEVICE = "v0";
export const DEVICE_ADDRESSES: Readonly<Record<Family, string>> = { 4: "10.0.0.1/24", 6: "fd00::1/64" };
/** Of all routes that are written. */
export const METRIC = 32;

const GATEWAYS = 50;
const SEED = 0x6b727464;
const FIRST_ADDRESS = 0x01000000;
const ADDRESS_SPAN = 0xdf000000 - FIRST_ADDRESS;

/** Share of each prefix length, in percent. */
const LENGTH_SHARES: Readonly<Record<Family, readonly (readonly [length: number, percent: number])[]>> = {
  4: [
    [24, 60],
    [22, 11],
    [23, 10],
    [21, 5],
    [20, 5],
    [19, 3],
    [18, 2],
    [16, 2],
    [17, 1],
    [15, 1],
  ],
  6: [
    [48, 50],
    [32, 12],
    [44, 11],
    [40, 9],
    [36, 6],
    [47, 4],
    [46, 4],
    [29, 4],
  ],
};

export interface Route {
  readonly prefix: string;
  readonly gateway: string;
}

export interface RouteFiles {
  /** "prefix gateway" a line, for limit/push.c. */
  readonly plain: string;
  /** A route file of krtd. */
  readonly krtd: string;
  /** Commands for `ip -batch`. */
  readonly ipBatch: string;
  /** The routes of a static protocol of BIRD, to be included. */
  readonly bird: string;
}

/** Writes `count` routes into the directory. */
export async function writeRoutes(directory: string, family: Family, count: number): Promise<RouteFiles> {
  const path = (name: string): string => join(directory, `routes${family}.${name}`);
  const files: RouteFiles = {
    plain: path("txt"),
    krtd: path("routes"),
    ipBatch: path("ip"),
    bird: path("bird"),
  };
  await writeLines(generate(family, count), [
    [files.plain, ({ prefix, gateway }) => `${prefix} ${gateway}\n`],
    [files.krtd, ({ prefix, gateway }) => `${prefix} via ${gateway} dev ${DEVICE}\n`],
    [
      files.ipBatch,
      ({ prefix, gateway }) => `route add ${prefix} via ${gateway} dev ${DEVICE} metric ${METRIC}\n`,
    ],
    [files.bird, ({ prefix, gateway }) => `route ${prefix} via ${gateway};\n`],
  ]);
  return files;
}

/** Writes each item into each file, in that file's words. */
export async function writeLines<T>(
  items: Iterable<T>,
  formats: readonly (readonly [path: string, line: (item: T) => string])[],
): Promise<void> {
  const streams = formats.map(([path, line]) => ({ stream: createWriteStream(path), line, text: "" }));
  for (const item of items) {
    for (const entry of streams) {
      entry.text += entry.line(item);
      if (entry.text.length < 1 << 16) continue;
      if (!entry.stream.write(entry.text)) await once(entry.stream, "drain");
      entry.text = "";
    }
  }
  for (const { stream, text } of streams) {
    stream.end(text);
    await once(stream, "finish");
  }
}

/** `gatewayCount` up to 250. */
export function* generate(family: Family, count: number, gatewayCount: number = GATEWAYS): Generator<Route> {
  const random = randomBelow(SEED);
  const lengths = LENGTH_SHARES[family].flatMap(([length, percent]) =>
    new Array<number>(percent).fill(length),
  );
  const seen = new Set<number>();
  while (seen.size < count) {
    const length = lengths[random(lengths.length)]!;
    const prefix = family === 4 ? prefix4(random, length, seen) : prefix6(random, length, seen);
    if (prefix === null) continue;
    const gateway = 2 + random(gatewayCount);
    yield { prefix, gateway: family === 4 ? `10.0.0.${gateway}` : `fd00::${gateway.toString(16)}` };
  }
}

function prefix4(random: (limit: number) => number, length: number, seen: Set<number>): string | null {
  const size = 2 ** (32 - length);
  const address = Math.floor((FIRST_ADDRESS + random(ADDRESS_SPAN)) / size) * size;
  const first = Math.floor(address / 2 ** 24);
  const key = address * 64 + length;
  if (first < 1 || first === 10 || first === 127 || seen.has(key)) return null;
  seen.add(key);
  return `${first}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}/${length}`;
}

/** Of 2400::/6, the first 48 bits. */
function prefix6(random: (limit: number) => number, length: number, seen: Set<number>): string | null {
  const size = 2 ** (48 - length);
  const address = Math.floor((0x2400 * 2 ** 32 + random(2 ** 10) * 2 ** 32 + random(2 ** 32)) / size) * size;
  const key = address * 32 + (length - 29);
  if (seen.has(key)) return null;
  seen.add(key);
  const part = (shift: number): string => (Math.floor(address / 2 ** shift) % 65536).toString(16);
  // As programs write it.
  const words = `${part(32)}:${part(16)}:${part(0)}`.replace(/(:0)+$/, "");
  return `${words}::/${length}`;
}

/** Uniform whole numbers below `limit` ≤ 2³² (a counter, mixed by multiplications). */
function randomBelow(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return Math.floor((((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32) * limit);
  };
}
