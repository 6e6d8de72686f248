/** Tables of other shapes than the Internet's: what each costs krtd, per route. */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { memory, run } from "./children.ts";
import { scanOnce } from "./krtd.ts";
import { configuration, KrtdProcess } from "./krtd-process.ts";
import { DEVICE, generate, METRIC, writeLines } from "./routes.ts";
import type { Setting } from "./setting.ts";

const INTERFACES = 2000;
/** A veth takes the kernel many milliseconds. */
const INTERFACES_LIMIT_MS = 300_000;
const TABLES = 256;
const FIRST_TABLE = 1000;

export interface Shape {
  readonly name: string;
  /** Routes when a million are asked for. */
  readonly most: number;
  /** Writes the route file of `count` routes. */
  readonly write: (path: string, count: number) => Promise<void>;
  /** Makes and removes what the routes need. */
  readonly before?: (setting: Setting) => Promise<void>;
  readonly after?: (setting: Setting) => Promise<void>;
  readonly configuration?: (setting: Setting, path: string) => string;
  /** So many times longer than others it may take. */
  readonly patience?: number;
}

function* hosts(count: number): Generator<string> {
  for (let i = 0; i < count; i++) {
    // Odd multiples of a 22-bit number visit every host of 64.0.0.0/10 once, far apart.
    const host = (Math.imul(i, 0x2545f5) >>> 0) & 0x3fffff;
    yield `64.${(host >>> 16) & 63}.${(host >>> 8) & 255}.${host & 255}/32`;
  }
}

/** `count` prefixes; the words after each come from its number. */
async function write(path: string, prefixes: Iterable<string>, way: (n: number) => string): Promise<void> {
  let n = 0;
  await writeLines(prefixes, [[path, (prefix) => `${prefix} ${way(n++)}\n`]]);
}

function* prefixes(count: number): Generator<string> {
  for (const { prefix } of generate(4, count)) yield prefix;
}

const gateway = (n: number): string => `via 10.0.0.${2 + (n % 250)} dev ${DEVICE}`;

/** One of 50,000 pairs of weighted gateways. */
function pair(n: number): string {
  const kind = n % 50_000;
  const first = kind % 200;
  const second = 200 + (Math.floor(kind / 200) % 50);
  const weight = 1 + Math.floor(kind / 10_000);
  return `nexthop ${gateway(first)} weight ${weight} nexthop ${gateway(second)}`;
}

function ecmp(n: number): string {
  return Array.from({ length: 64 }, (_, k) => `nexthop ${gateway(n + 3 * k)}`).join(" ");
}

/** All with a million routes, fewer with less. */
function interfaceCount(routes: number): number {
  return Math.max(1, Math.min(INTERFACES, Math.round((INTERFACES * routes) / 1e6)));
}

function interfaceLines({ routes }: Setting, line: (n: number) => string): string {
  return Array.from({ length: interfaceCount(routes) }, (_, n) => `${line(n)}\n`).join("");
}

async function batch({ namespace, directory }: Setting, text: string): Promise<void> {
  const path = join(directory, "shape.ip");
  await writeFile(path, text);
  await run(["ip", "-n", namespace.name, "-batch", path], INTERFACES_LIMIT_MS);
}

export const SHAPES: readonly Shape[] = [
  {
    name: "hosts",
    most: 1_000_000,
    write: (path, count) => write(path, hosts(count), gateway),
  },
  {
    name: "one-gateway",
    most: 1_000_000,
    write: (path, count) => write(path, prefixes(count), () => gateway(0)),
  },
  // The kernel compares each set with all others of the link: minutes, whoever writes them.
  { name: "pairs", most: 1_000_000, write: (path, count) => write(path, prefixes(count), pair), patience: 4 },
  { name: "ecmp", most: 10_000, write: (path, count) => write(path, prefixes(count), ecmp) },
  {
    name: "interfaces",
    most: 1_000_000,
    before: (setting) =>
      batch(
        setting,
        interfaceLines(setting, (n) => `link add x${n} type veth peer name y${n}`) +
          interfaceLines(setting, (n) => `link set y${n} up`) +
          interfaceLines(setting, (n) => `link set x${n} up`),
      ),
    after: (setting) =>
      batch(
        setting,
        interfaceLines(setting, (n) => `link del x${n}`),
      ),
    write: (path, count) => write(path, prefixes(count), (n) => `dev x${n % interfaceCount(count)}`),
  },
  {
    name: "tables",
    most: TABLES * 4000,
    write: (path, count) => write(path, prefixes(Math.max(1, Math.round(count / TABLES))), gateway),
    configuration: (_setting, path) => {
      const all = Array.from({ length: TABLES }, (_, n) => n);
      return `\
log: {level: info, format: json}
tables: {${all.map((n) => `t${n}: {family: ipv4}`).join(", ")}}
kernel:
${all.map((n) => `  k${n}: {table: t${n}, kernel-table: ${FIRST_TABLE + n}, metric: ${METRIC}, scan-time: 0}\n`).join("")}
static:
${all.map((n) => `  s${n}: {table: t${n}, files: [${path}]}\n`).join("")}
`;
    },
  },
];

/** IPv4 only: from an empty table to an empty table. */
export async function measureShape(given: Setting, shape: Shape): Promise<void> {
  const setting = { ...given, limitMs: given.limitMs * (shape.patience ?? 1) };
  const { namespace, samples, directory } = setting;
  const count = Math.max(1, Math.round((shape.most * setting.routes) / 1e6));
  const path = join(directory, "shape.routes");
  await shape.write(path, count);
  await shape.before?.(setting);
  const text =
    shape.configuration?.(setting, path) ??
    configuration({ family: 4, files: { ...setting.files, krtd: path } });
  try {
    const krtd = await KrtdProcess.start(setting, text);
    const read = await krtd.routesRead();
    samples.add(`shapes.${shape.name}-push`, ((await krtd.inSync()) - read) / 1000);
    if (shape.configuration === undefined) {
      const writes = await krtd.writes();
      await scanOnce(setting, krtd);
      samples.add(`shapes.${shape.name}-scan`, ((await krtd.kernel()).scan["last-duration-ms"] ?? 0) / 1000);
      samples.add("writes.shapes", (await krtd.writes()) - writes);
      if (writes !== count) throw new Error(`shape ${shape.name}: ${writes} writes for ${count} routes`);
    }
    samples.add(`shapes.${shape.name}-memory`, memory(krtd.child.pid).peak);
    await krtd.stop(false);
  } finally {
    await shape.after?.(setting);
  }
  await namespace.flush();
}
