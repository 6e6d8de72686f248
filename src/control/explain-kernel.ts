/** What the kernel holds of one net, and what would carry its packets otherwise: one dump, looked through as it comes. */

import { type Prefix, prefixContains } from "../lib/prefix.ts";
import type { KernelRouteView } from "../nest/protocol.ts";
import type { DumpKernel } from "./call.ts";
import type { KernelRouteJson } from "./json.ts";
import { type DumpedTable, equalPrefix, refusal, rowOf, rowText } from "./kernel-query.ts";

export interface KernelLook {
  /** Every route of the net, whoever owns it, in the kernel's order. */
  readonly routes: readonly KernelRouteJson[];
  /** The route with the longest other prefix that covers what was asked for, or null. */
  readonly covering: KernelRouteJson | null;
  /** rtm_protocol of krtd's routes, as far as the kernel shows any, else null. */
  readonly ownProtocol: number | null;
  /** Why the dump was not complete, or null. */
  readonly problem: string | null;
}

/** What is known without looking: no kernel protocol, or one that is down. */
export const NOT_LOOKED: KernelLook = { routes: [], covering: null, ownProtocol: null, problem: null };

/** `asked` is the net itself, or the host prefix of an address that the net is the longest match of. */
export async function lookInKernel(
  table: DumpedTable,
  net: Prefix,
  asked: Prefix,
  dump: DumpKernel,
): Promise<KernelLook> {
  const routes: KernelRouteJson[] = [];
  const covering: KernelRouteView[] = [];
  const ours = new Set<number>();
  const onRoute = (route: KernelRouteView): void => {
    const { prefix } = route;
    if (route.class === "ours") ours.add(route.protocol);
    if (equalPrefix(prefix, net)) {
      routes.push(kernelRouteJson(route, table));
    } else if (route.class !== "skipped" && prefixContains(prefix, asked)) {
      if (covering[0] === undefined || isCloser(route, covering[0])) covering[0] = route;
    }
  };
  const problem = await dump(table.facet, onRoute).catch(refusal);
  return {
    routes,
    covering: covering[0] === undefined ? null : kernelRouteJson(covering[0], table),
    // Two of them: krtd had another number once, and nobody says here which is today's.
    ownProtocol: ours.size === 1 ? [...ours][0]! : null,
    problem,
  };
}

/** The kernel takes the longest prefix, and of that the lowest metric. */
function isCloser(a: KernelRouteView, b: KernelRouteView): boolean {
  if (a.prefix.length !== b.prefix.length) return a.prefix.length > b.prefix.length;
  return a.metric < b.metric;
}

function kernelRouteJson(route: KernelRouteView, { deviceName, netns }: DumpedTable): KernelRouteJson {
  return JSON.parse(rowText(rowOf(route, deviceName, netns))) as KernelRouteJson;
}
