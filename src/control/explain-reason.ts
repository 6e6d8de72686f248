/**
 * The one sentence of explain: why the route is in the kernel or not, and what to do about it. It is written for
 * somebody who is woken up by the lack of a route.
 */

import { EEXIST } from "../lib/errno.ts";
import { downWords } from "./absence.ts";
import { differenceWords } from "./diff-words.ts";
import type { ExplainFacts } from "./explain-facts.ts";
import type { ExplainVerdict } from "./explain-json.ts";
import { reviewNexthops } from "./explain-nexthop.ts";
import { closerRoute, rightRoute, winnerOver } from "./explain-shown.ts";
import type { TableKernel } from "./explain-target.ts";
import {
  failureWords,
  kernelRouteWords,
  kernelTableWords,
  listWords,
  pendingWords,
  timeWords,
} from "./explain-words.ts";

export function explainReason(facts: ExplainFacts, verdict: ExplainVerdict): string {
  const { address, dst, offers } = facts;
  // Who asks about an address is told which route the answer is about.
  const match = address === null || offers.length === 0 ? "" : `${dst} is the longest match for ${address}: `;
  const text = `${match}${reasonOf(facts, verdict)}`;
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function reasonOf(facts: ExplainFacts, verdict: ExplainVerdict): string {
  if (verdict === "no-such-route") return noSuchRoute(facts);
  if (verdict === "installed") return installed(facts);
  const { offers, absent, target } = facts;
  if (offers.length === 0) {
    const [first] = absent;
    const { protocol, text, advice } = first!;
    return `protocol ${protocol} knows the route, but ${text}${advice === null ? "" : `: ${advice}`}`;
  }
  if (target.kernel === null) {
    const { rtable, place } = target.table;
    const { name } = rtable;
    if (place !== null) {
      return `kernel protocol ${place.down}${place.disabled ? `: krtctl enable ${place.name}` : ""}`;
    }
    return `no kernel protocol is attached to table ${name}: add one under "kernel:", or a pipe to a table that has one`;
  }
  return notInstalled(facts, target.kernel);
}

function noSuchRoute({ dst, address, target, look, elsewhere, covering }: ExplainFacts): string {
  const { kernel, table } = target;
  const nobody = `nobody announces ${address === null ? dst : `a route for ${address}`} to table ${table.rtable.name}`;
  if (elsewhere.length > 0) {
    const plural = elsewhere.length === 1 ? "has" : "have";
    return `${nobody}, but ${listWords(elsewhere)} ${plural} one: krtctl explain ${address ?? dst} table ${elsewhere[0]}`;
  }
  const [shown] = look.routes;
  if (shown !== undefined && kernel !== null) {
    if (shown.class === "ours" && shown.verdict === "protected") {
      return `${nobody}; the kernel still has an old route of krtd's, which safety.protect keeps: take ${dst} out of the list and configure, or delete the route by hand`;
    }
    if (shown.class === "ours" && kernel.facet.report().withheld > 0) {
      return `${nobody}; the kernel still has an old route of krtd's, as one of too many that nobody wants any more (safety.max-delete-percent): krtctl scan --force ${kernel.name} deletes them`;
    }
    if (shown.class === "ours") {
      return `${nobody}; the kernel still has an old route of krtd's, which the next scan deletes (krtctl scan ${kernel.name})`;
    }
    return `${nobody}; the kernel has ${kernelRouteWords(shown)}, which ${kernel.name} does not learn`;
  }
  if (covering === null) return `${nobody}, and nothing in it covers that`;
  return `${nobody}; what covers it there is ${covering.dst} of ${covering.source}`;
}

function installed(facts: ExplainFacts): string {
  const { look, address, export: exported, target } = facts;
  const kernel = target.kernel!;
  const right = rightRoute(facts);
  if (right === null) {
    return `it was written and no change is known, but the kernel's table could not be read completely (${look.problem}): ask again`;
  }
  const there =
    exported?.is === "learned"
      ? `the kernel has it from somebody else (proto ${right.protocol}), and ${kernel.name} learned it`
      : "the kernel has it as wanted";
  const closer = closerRoute(facts);
  if (closer !== null) return `${there}, but for ${address} it takes the longer ${kernelRouteWords(closer)}`;
  const winner = winnerOver(facts, right);
  if (winner === null || exported?.is === "learned") return there;
  const metric = winner.metric ?? 0;
  return `${there}, but takes ${kernelRouteWords(winner)} first: delete that one, or give krtd's route a metric below ${metric}`;
}

function notInstalled(facts: ExplainFacts, kernel: TableKernel): string {
  const { export: exported, status } = facts;
  const filter = kernel.channel.exporting.name;
  switch (exported?.is) {
    case "down":
      return kernel.entry.disabled
        ? `kernel protocol ${kernel.name} is disabled: krtctl enable ${kernel.name}`
        : `kernel protocol ${downWords(kernel.entry)}; see krtctl show protocols all ${kernel.name}`;
    case "refused":
      return `protocol ${kernel.name} does not take it: ${exported.why}`;
    case "filtered":
      if (exported.wouldPass) {
        return `the export filter of ${kernel.name} lets it pass by now, but has not been asked again: krtctl reload ${kernel.name}`;
      }
      return filter === "none"
        ? `protocol ${kernel.name} exports nothing (export: none)`
        : `the export filter "${filter}" of ${kernel.name} turns it away: change the filter if it should be in the kernel`;
    case "learned":
      return `protocol ${kernel.name} learned it, and by now the kernel has it no more: krtctl scan ${kernel.name}`;
    default:
      return status === null ? "nothing is known of it" : byState(facts, kernel);
  }
}

function byState(facts: ExplainFacts, kernel: TableKernel): string {
  const { message, state, nextRetryAt } = facts.status!;
  const at = nextRetryAt === null ? "" : `, next at ${timeWords(nextRetryAt)}`;
  switch (state) {
    case "synced":
      return gone(facts, kernel);
    case "waiting":
      return waiting(facts);
    case "failed":
      return failed(facts, kernel);
    case "contested":
      return `others keep changing it, and krtd pauses between its repairs${at}: find out who (krtctl show drift)`;
    default: {
      const failure = failureWords(facts.status!);
      if (failure !== null)
        return `the kernel had no room or time for it: ${failure}; krtd tries again by itself${at}`;
      if (message !== null) return message;
      return facts.writing ? "it is being written: ask again in a moment" : pendingWords(false, kernel.facet);
    }
  }
}

function gone({ look, wanted }: ExplainFacts, kernel: TableKernel): string {
  const different = look.routes.find(({ verdict }) => verdict === "update");
  const what =
    different === undefined || wanted === null
      ? "is gone from the kernel since"
      : `was changed in the kernel since (${differenceWords(wanted.json, different)})`;
  return `it was written, and ${what}: the next scan puts it right (krtctl scan ${kernel.name})`;
}

function waiting({ status, wanted, target }: ExplainFacts): string {
  const [finding] = wanted === null ? [] : reviewNexthops(wanted.attrs, target.interfaces).findings;
  if (finding !== undefined) {
    return `${finding.problem}: ${finding.advice}, and krtd installs the route by itself`;
  }
  const said = failureWords(status!) ?? "no more is known";
  return `the kernel cannot use its nexthop now: ${said}; krtd tries again when an interface, an address or a route changes`;
}

function failed({ status, rival, wanted, target, dst }: ExplainFacts, kernel: TableKernel): string {
  const { errno, message } = status!;
  if (errno === null && message !== null) return message;
  const otherMetric = `give krtd's route another metric than ${status!.metric}`;
  if (errno === EEXIST) {
    if (rival !== null)
      return `its key is held by ${kernelRouteWords(rival)}: delete that one, or ${otherMetric}`;
    if (status!.rival !== null) {
      return `its key was held by ${status!.rival}, which is gone: krtd's comes with the next scan (krtctl scan ${kernel.name})`;
    }
    const table = kernelTableWords(kernel.facet.kernelTable);
    return `${message ?? "its key is taken"}: see the routes of ${dst} in kernel table ${table}, or ${otherMetric}`;
  }
  const [finding] = wanted === null ? [] : reviewNexthops(wanted.attrs, target.interfaces).findings;
  const todo = finding === undefined ? "correct the route" : `${finding.problem}, so ${finding.advice}`;
  return `the kernel refuses it: ${failureWords(status!) ?? "it does not say why"}; ${todo}`;
}
