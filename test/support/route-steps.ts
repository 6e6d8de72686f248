/**
 * A few routes, by a letter each, and steps that change the world around them: after each step krtd must have settled
 * in the state that the step names, by the news alone (nothing is scanned by the clock), and it must then have nothing
 * more to do. What links and addresses do to routes must never be told as somebody's doing.
 */

import { expect } from "vitest";
import type { KrtInput, RouteInput, StaticInput } from "../../src/config/input.ts";
import type { Family } from "../../src/lib/ip.ts";
import { configText, type FamilyCase, ownLines } from "./families.ts";
import { ask } from "./http-unix.ts";
import { type RunningKrtd, startSynced } from "./krtd.ts";
import { type Netns, waitFor } from "./netns.ts";
import { monitorRoutes } from "./route-monitor.ts";

/** A family, and where the kernel protocol keeps its routes. */
export interface Place {
  readonly it6: FamilyCase;
  readonly place: "main" | 100;
  /** krtd stands still during each step, and the news of it is lost. */
  readonly unheard?: boolean;
}

export interface RouteStep<World> {
  readonly why: string;
  /** Commands for `ip -batch` in the namespace, or whatever else. */
  readonly run: (world: World) => readonly string[] | Promise<void>;
  /** Letters of the routes that the kernel has then, if need be by family or place. */
  readonly left: string | Readonly<Partial<Record<Family | "100", string>>>;
  /** By letter, the kernel's or krtd's word for what does not stand there. */
  readonly says?: Readonly<Record<string, string>>;
  /** Letters of what is neither written nor changed in the step; default: what stands there before and after. */
  readonly untouched?: string;
}

interface Scene<World> extends Place {
  readonly ns: Netns;
  readonly world: World;
  readonly routes: Readonly<Record<string, RouteInput>>;
  /** Letters of what stands there to begin with. */
  readonly begin: string;
  readonly steps: readonly RouteStep<World>[];
  /** What a route is that does not stand in the kernel: in the table, or not even there. */
  readonly otherwise?: "waiting" | "missing";
  /** Further keys of the static protocol. */
  readonly static?: StaticInput;
  /** Further keys of the root. */
  readonly root?: KrtInput;
}

/** Holds some hundred notifications; many more come then. */
const SMALL_BUFFER = "64KiB";
const NOISE = Array.from(
  { length: 2000 },
  (_, i) => `route ${i % 2 === 0 ? "add" : "del"} blackhole 192.88.99.9 table 999`,
);

/** Of what waits, one of each kind is tried at a scan, and when that changes something once more. */
const MOST_TRIES = 20;

/** Starts krtd with the routes, goes through the steps, and stops it. */
export async function goThrough<World>(scene: Scene<World>): Promise<void> {
  const { it6, place, ns, routes, steps } = scene;
  const table = `master${it6.family}`;
  const statics = { static1: { table, routes: Object.values(routes), ...scene.static } };
  const text = configText(
    {},
    {
      kernel: { "kernel-table": place },
      root: {
        device: { "scan-time": 0 },
        netlink: { "rx-buffer": scene.unheard === true ? SMALL_BUFFER : "16MiB" },
        ...scene.root,
        static: { ...statics, ...scene.root?.static },
      },
    },
  );
  await using krtd = await startSynced(ns, text);
  let stood = scene.begin;
  const contents = new Map<string, string>();
  await expectState(scene, krtd, stood, contents, "at the start");
  for (const step of steps) {
    const { left: by } = step;
    const left = typeof by === "string" ? by : ((place === 100 ? by[100] : undefined) ?? by[it6.family]!);
    await using monitor = await monitorRoutes(ns);
    const resyncs = async (): Promise<number> => (await krtd.status()).netlink.resyncs;
    const before = await resyncs();
    if (scene.unheard === true) krtd.signal("SIGSTOP");
    const done = step.run(scene.world);
    try {
      if (done instanceof Promise) await done;
      else await ns.batch(done);
      if (scene.unheard === true) await ns.batch(NOISE);
    } finally {
      if (scene.unheard === true) krtd.signal("SIGCONT");
    }
    if (scene.unheard === true)
      await waitFor("krtd knows of its loss", async () => (await resyncs()) > before);
    const context = `${JSON.stringify(done)} ${step.why}`;
    await expectState(scene, krtd, left, contents, context);
    for (const [letter, message] of Object.entries(step.says ?? {})) {
      expect((await krtd.route(routes[letter]!.prefix!)).kernel.message, context).toBe(message);
    }
    const untouched = step.untouched ?? [...stood].filter((letter) => left.includes(letter)).join("");
    const events = (await monitor.events()).filter((line) => line.includes(" proto 120 "));
    const touched = events.filter((line) => untouched.includes(letterOf(routes, line)));
    expect(touched, context).toEqual([]);
    const standing = await ownLines(ns, it6.flag, `table ${place}`);
    const writes = await krtd.writes();
    await krtd.scan();
    expect(await ownLines(ns, it6.flag, `table ${place}`), context).toEqual(standing);
    const waiting = Object.keys(routes).length > left.length && scene.otherwise !== "missing";
    expect((await krtd.writes()) - writes, context).toBeLessThanOrEqual(waiting ? MOST_TRIES : 0);
    stood = left;
  }
  expect(JSON.parse((await ask(krtd.socket, "/v1/drift")).text)).toEqual([]);
  expect(krtd.log()).not.toContain("by somebody else");
  expect(krtd.log()).not.toContain('"level":"error"');
}

/** `contents`: what the routes say, by letter: what one said first it must say whenever it stands there. */
async function expectState<World>(
  scene: Scene<World>,
  krtd: RunningKrtd,
  left: string,
  contents: Map<string, string>,
  context: string,
): Promise<void> {
  const { ns, it6, place, routes, otherwise = "waiting" } = scene;
  const wanted = Object.fromEntries(
    Object.keys(routes).map((letter) => [letter, left.includes(letter) ? "synced" : otherwise]),
  );
  const look = async () => {
    const own = await ownLines(ns, it6.flag, `table ${place}`);
    const shown = await krtd.routes();
    const states = Object.entries(routes).map(([letter, { prefix }]) => {
      const route = shown.find(({ dst }) => dst === prefix);
      return [letter, route?.kernel.state ?? "missing"];
    });
    const standing = own.map((line) => ({ letter: letterOf(routes, line), content: contentOf(line) }));
    const odd = standing.filter(({ letter, content }) => (contents.get(letter) ?? content) !== content);
    if (odd.length === 0) for (const { letter, content } of standing) contents.set(letter, content);
    return {
      kernel: standing
        .map(({ letter }) => letter)
        .sort()
        .join(""),
      odd,
      states: Object.fromEntries(states) as Record<string, string>,
      krtd: await krtd.state(),
    };
  };
  const expected = { kernel: left, odd: [], states: wanted, krtd: "in-sync" };
  // The last look counts: a moment later krtd may be trying again what waits.
  let seen: Awaited<ReturnType<typeof look>> | null = null;
  const same = async (): Promise<boolean> => {
    seen = await look();
    return JSON.stringify(seen) === JSON.stringify(expected);
  };
  // Its failure is told by the comparison below.
  await waitFor("it has settled", same).catch(() => {});
  expect(seen, context).toEqual(expected);
}

/** The words of a route but for its devices, which may have new names, and what the kernel says of its links. */
function contentOf(line: string): string {
  const words = line.replace(/ dev \S+| dead| linkdown|\\/g, "").split(/\s+/);
  return words.sort().join(" ");
}

/** Of a line of `ip -d route`, or of its monitor; the line itself in parentheses when it is none of the routes. */
function letterOf(routes: Readonly<Record<string, RouteInput>>, line: string): string {
  const dst = line.replace("Deleted ", "").split(" ")[1];
  const found = Object.entries(routes).find(([, { prefix }]) => prefix === dst);
  return found?.[0] ?? `(${line})`;
}
