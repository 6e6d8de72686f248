/** How what the kernel shows of a net stands to what krtd wants there. All by the verdicts that came with the dump. */

import type { ExplainFacts } from "./explain-facts.ts";
import type { ExplainVerdict } from "./explain-json.ts";
import type { KernelRouteJson } from "./json.ts";

/** The route of ours that is as wanted, or the one that the best route was learned from; null: there is none. */
export function rightRoute({ look, export: exported }: ExplainFacts): KernelRouteJson | null {
  const right = (route: KernelRouteJson): boolean =>
    exported?.is === "learned" ? route.verdict === "learn" : route.verdict === "seen";
  return look.routes.find(right) ?? null;
}

export function explainVerdict(facts: ExplainFacts): ExplainVerdict {
  const { offers, absent, look, status } = facts;
  if (offers.length === 0) return absent.length === 0 ? "no-such-route" : "not-installed";
  if (rightRoute(facts) !== null) return "installed";
  // A dump that was cut short does not prove that it is gone.
  const believed = status?.state === "synced" || status?.state === "learned";
  return look.problem !== null && believed ? "installed" : "not-installed";
}

/**
 * The foreign route of the net that the kernel takes before `own`: of a lower metric, or of the same one and first. A
 * route for one type of service does not count.
 */
export function winnerOver({ look: { routes } }: ExplainFacts, own: KernelRouteJson): KernelRouteJson | null {
  const at = routes.indexOf(own);
  const metric = own.metric ?? 0;
  const wins = (route: KernelRouteJson, i: number): boolean => {
    if (route.class === "ours" || route.tos !== undefined || route === own) return false;
    const other = route.metric ?? 0;
    return other < metric || (other === metric && i < at);
  };
  return routes.find(wins) ?? null;
}

/** What carries the packets to the address that was asked for, when that is not the net of its answer. */
export function closerRoute({ address, target, look }: ExplainFacts): KernelRouteJson | null {
  if (address === null || look.covering === null) return null;
  const length = Number(look.covering.dst.split("/")[1]);
  return length > target.prefix.length ? look.covering : null;
}
