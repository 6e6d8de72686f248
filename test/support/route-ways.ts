/** Where krtd's routes lead in the kernel, by prefix, for tests in which that changes. */

import { expect } from "vitest";
import { type FamilyCase, ownLines } from "./families.ts";
import type { RunningKrtd } from "./krtd.ts";
import { type Netns, waitFor } from "./netns.ts";

/** By prefix: "via 10.0.0.2 dev v0", nexthops sorted and joined by " + " (weights as "*3"), or the type. */
export type Ways = Readonly<Record<string, string>>;

export async function waysOf(ns: Netns, { flag }: FamilyCase, selector = "table main"): Promise<Ways> {
  const own = await ownLines(ns, flag, selector);
  return Object.fromEntries(own.map((line) => [line.split(" ")[1]!, wayOf(line)]));
}

/** Waits until the routes of krtd lead there and it is in sync; then a scan must find nothing to change. */
export async function expectWays(
  ns: Netns,
  krtd: RunningKrtd,
  it6: FamilyCase,
  why: string,
  wanted: Ways,
): Promise<void> {
  const sorted = (ways: Ways): string => JSON.stringify(Object.entries(ways).sort());
  const same = async (): Promise<boolean> =>
    sorted(await waysOf(ns, it6)) === sorted(wanted) && (await krtd.state()) === "in-sync";
  // Its failure is told by the comparison below.
  await waitFor(why, same).catch(() => {});
  expect(await waysOf(ns, it6), why).toEqual(wanted);
  // What the kernel takes away by itself is as wanted before krtd has heard of it.
  let writes = -1;
  const settled = async (): Promise<boolean> => {
    const before = writes;
    writes = await taken(krtd);
    return writes === before;
  };
  await waitFor("no more writes", settled, undefined, 100);
  await krtd.scan();
  expect(await taken(krtd), why).toBe(writes);
}

/** Writes that the kernel took; those that it refuses are tried again. */
async function taken(krtd: RunningKrtd): Promise<number> {
  const writes = (await krtd.kernels()).map(({ kernel }) => kernel.writes);
  return writes.reduce((sum, { add, replace, delete: deleted }) => sum + add + replace + deleted, 0);
}

function wayOf(line: string): string {
  const [type] = line.split(" ");
  if (type !== "unicast") return type!;
  const hops = [...line.matchAll(/(?:via (?:inet6 )?\S+ )?dev \S+( weight \d+)?/g)].map(([hop]) =>
    hop.replace(/ weight 1$/, "").replace(/ weight /, " *"),
  );
  return hops.sort().join(" + ");
}
