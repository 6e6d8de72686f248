/**
 * The routes that everybody is measured with: distinct IPv4 prefixes with the lengths of the Internet's table
 * (six of ten are a /24), spread over unicast space, through 50 gateways on one link. They come from a seed, so
 * every run and every machine has the same. Written once in the language of each program.
 */

import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { join } from "node:path";

/** The link in the benchmark's namespace; the gateways are on it. */
export const DEVICE = "v0";
export const DEVICE_ADDRESS = "10.0.0.1/24";

const GATEWAYS = 50;
const SEED = 0x6b727464;
const FIRST_ADDRESS = 0x01000000;
const ADDRESS_SPAN = 0xdf000000 - FIRST_ADDRESS;

/** Share of each prefix length, in percent. */
const LENGTH_SHARES: readonly (readonly [length: number, percent: number])[] = [
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
];

const LENGTHS = LENGTH_SHARES.flatMap(([length, percent]) => new Array<number>(percent).fill(length));

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
export async function writeRoutes(directory: string, count: number): Promise<RouteFiles> {
  const files: RouteFiles = {
    plain: join(directory, "routes.txt"),
    krtd: join(directory, "all.routes"),
    ipBatch: join(directory, "routes.ip"),
    bird: join(directory, "routes.bird"),
  };
  const formats: readonly (readonly [path: string, line: (prefix: string, gateway: string) => string])[] = [
    [files.plain, (prefix, gateway) => `${prefix} ${gateway}\n`],
    [files.krtd, (prefix, gateway) => `${prefix} via ${gateway} dev ${DEVICE}\n`],
    [files.ipBatch, (prefix, gateway) => `route add ${prefix} via ${gateway} dev ${DEVICE} metric 32\n`],
    [files.bird, (prefix, gateway) => `route ${prefix} via ${gateway};\n`],
  ];
  const streams = formats.map(([path, line]) => ({ stream: createWriteStream(path), line, text: "" }));
  for (const { prefix, gateway } of generate(count)) {
    for (const entry of streams) {
      entry.text += entry.line(prefix, gateway);
      if (entry.text.length < 1 << 16) continue;
      if (!entry.stream.write(entry.text)) await once(entry.stream, "drain");
      entry.text = "";
    }
  }
  for (const { stream, text } of streams) {
    stream.end(text);
    await once(stream, "finish");
  }
  return files;
}

function* generate(count: number): Generator<{ readonly prefix: string; readonly gateway: string }> {
  const random = randomBelow(SEED);
  const seen = new Set<number>();
  while (seen.size < count) {
    const length = LENGTHS[random(LENGTHS.length)]!;
    const size = 2 ** (32 - length);
    const address = Math.floor((FIRST_ADDRESS + random(ADDRESS_SPAN)) / size) * size;
    const first = Math.floor(address / 2 ** 24);
    const key = address * 64 + length;
    if (first < 1 || first === 10 || first === 127 || seen.has(key)) continue;
    seen.add(key);
    const prefix = `${first}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}/${length}`;
    yield { prefix, gateway: `10.0.0.${2 + random(GATEWAYS)}` };
  }
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
