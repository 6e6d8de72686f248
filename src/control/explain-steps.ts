/**
 * A route's way into the kernel, step by step, as far as it came. Each step says what was found there and not what to
 * do about it; that is the reason's part (explain-reason.ts).
 */

import { downWords } from "./absence.ts";
import { differenceWords } from "./diff-words.ts";
import type { ExplainFacts } from "./explain-facts.ts";
import type { ExplainStepJson, ExplainStepName } from "./explain-json.ts";
import { reviewNexthops } from "./explain-nexthop.ts";
import { rightRoute, winnerOver } from "./explain-shown.ts";
import type { Offer } from "./explain-sources.ts";
import type { TableKernel } from "./explain-target.ts";
import {
  failureWords,
  kernelRouteWords,
  kernelTableWords,
  listWords,
  standingWords,
  wholeKernelRouteWords,
} from "./explain-words.ts";
import { wayText } from "./route-words.ts";

/** Kernel routes told one by one; of more only how many there are. */
const TOLD = 3;

export function explainSteps(facts: ExplainFacts): ExplainStepJson[] {
  const { kernel } = facts.target;
  const steps = [sourceStep(facts), importStep(facts), bestStep(facts), exportStep(facts)];
  if (facts.wanted !== null && kernel !== null) {
    steps.push(nexthopStep(facts), keyStep(facts, kernel), writeStep(facts));
  }
  if (kernel !== null) steps.push(kernelStep(facts, kernel));
  return steps.filter((step) => step !== null);
}

function step(name: ExplainStepName, ok: boolean, detail: string): ExplainStepJson {
  return { step: name, ok, detail };
}

function sourceStep({ offers, absent }: ExplainFacts): ExplainStepJson {
  const parts: string[] = [];
  const names = offers.map(({ source, learned }) => (learned ? `${source} (learned)` : source));
  if (names.length > 0) parts.push(`${listWords(names)} ${names.length === 1 ? "offers" : "offer"} it`);
  else if (absent.length === 0) parts.push("nobody offers it");
  for (const { protocol, text } of absent) parts.push(`${protocol} knows it, but ${text}`);
  return step("source", offers.length > 0, parts.join("; "));
}

function importStep({ offers, absent }: ExplainFacts): ExplainStepJson | null {
  const [best] = offers;
  if (best !== undefined) {
    return best.filter === null
      ? null
      : step("import-filter", true, `${best.source} lets it in by filter "${best.filter}"`);
  }
  const refused = absent.find(({ why }) => why === "filter");
  return refused === undefined ? null : step("import-filter", false, `${refused.protocol}: ${refused.text}`);
}

/** In the order of nest/best-route.ts. */
function bestStep({ offers }: ExplainFacts): ExplainStepJson | null {
  const [best, second] = offers;
  if (best === undefined) return null;
  if (second === undefined) {
    return step("best", true, `${best.source} is the only one, preference ${best.preference}`);
  }
  return step("best", true, `${best.source} is better than ${second.source}: ${whyBetter(best, second)}`);
}

function whyBetter(best: Offer, second: Offer): string {
  if (best.preference !== second.preference)
    return `preference ${best.preference} against ${second.preference}`;
  const same = `the same preference ${best.preference}`;
  const metric = (offer: Offer): string => (offer.metric === 0 ? "none set" : String(offer.metric));
  if (best.metric !== second.metric) return `${same}, metric ${metric(best)} against ${metric(second)}`;
  if (best.piped !== second.piped) return `${same} and metric, and the other came over a pipe`;
  return `${same} and metric, and its name is the first by the alphabet`;
}

function exportStep(facts: ExplainFacts): ExplainStepJson | null {
  const { target, offers, wanted, export: exported } = facts;
  if (offers.length === 0) return null;
  const { kernel, table } = target;
  if (kernel === null || exported === null) {
    const none = `no kernel protocol is attached to table ${table.rtable.name}`;
    return step("export-filter", false, table.place?.down ?? none);
  }
  const filter = `${kernel.name}'s filter "${kernel.channel.exporting.name}"`;
  switch (exported.is) {
    case "down":
      return step("export-filter", false, `${downWords(kernel.entry)}, and takes no routes`);
    case "learned":
      return step(
        "export-filter",
        true,
        `${kernel.name} learned it from the kernel and does not write it back`,
      );
    case "refused":
      return step("export-filter", false, `${kernel.name} does not take it: ${exported.why}`);
    case "filtered": {
      const now = exported.wouldPass ? ", but does no more: the route has not met it since" : "";
      return step("export-filter", false, `${filter} turned it away${now}`);
    }
    case "exported": {
      const changed = exported.changed && wanted !== null ? ` as ${wayText(wanted.json)}` : "";
      const now = exported.wouldPass ? "" : ", but would not today: the route has not met it since";
      return step("export-filter", true, `${filter} let it pass${changed}${now}`);
    }
  }
}

function nexthopStep({ wanted, status, target }: ExplainFacts): ExplainStepJson {
  const { findings, praise } = reviewNexthops(wanted!.attrs, target.interfaces);
  const problems = findings.map(({ problem }) => problem);
  // The kernel has the last word: it may reach a gateway in ways that are not looked at here.
  if (status?.state === "synced")
    return step("nexthop", true, problems.length === 0 ? praise : "the kernel takes it");
  if (problems.length > 0) return step("nexthop", false, listWords(problems));
  if (status?.state !== "waiting") return step("nexthop", true, praise);
  return step("nexthop", false, `not usable, says the kernel: ${failureWords(status) ?? "no more is known"}`);
}

function keyStep({ status, look, rival }: ExplainFacts, kernel: TableKernel): ExplainStepJson {
  const protocol = look.ownProtocol === null ? "" : `, protocol ${look.ownProtocol}`;
  const key = `table ${kernelTableWords(kernel.facet.kernelTable)}, metric ${status!.metric}${protocol}`;
  if (rival === null) {
    const gone =
      status!.rival === null ? "" : `: the last scan saw it taken by ${status!.rival}, now it is free`;
    return step("key", true, `${key}${gone}`);
  }
  const ours = look.routes.some((route) => route.class === "ours" && route.metric === rival.metric);
  return step("key", ours, `${key}: ${ours ? "shared with" : "held by"} ${kernelRouteWords(rival)}`);
}

function writeStep({ status, writing, target }: ExplainFacts): ExplainStepJson {
  const words = standingWords(status!, writing, target.kernel!.facet);
  return step("write", status!.state === "synced", words ?? "the kernel has taken it, or had it already");
}

function kernelStep(facts: ExplainFacts, kernel: TableKernel): ExplainStepJson {
  const { look, wanted } = facts;
  const table = `table ${kernelTableWords(kernel.facet.kernelTable)}`;
  const right = rightRoute(facts);
  const unread = `could not be read completely: ${look.problem}`;
  if (right !== null) {
    const winner = winnerOver(facts, right);
    const but = winner === null ? "" : `, but ${kernelRouteWords(winner)} comes first`;
    return step("kernel", true, `${table} has ${wholeKernelRouteWords(right)}${but}`);
  }
  if (kernel.entry.state === "down")
    return step("kernel", false, `${table} is not looked at while ${kernel.name} is down`);
  const [first] = look.routes;
  if (first === undefined)
    return step("kernel", false, `${table} ${look.problem === null ? "has no route to it" : unread}`);
  const withheld = wanted === null && kernel.facet.report().withheld > 0;
  const told = look.routes.slice(0, TOLD).map((route) => {
    const different =
      route.verdict === "update" && wanted !== null ? differenceWords(wanted.json, route) : "";
    return `${wholeKernelRouteWords(route)} (${ownerWords(route.verdict, route.class, withheld)}${different === "" ? "" : `: ${different}`})`;
  });
  const more = look.routes.length > TOLD ? ` and ${look.routes.length - TOLD} more` : "";
  return step(
    "kernel",
    false,
    `${table} has ${listWords(told)}${more}${look.problem === null ? "" : `; it ${unread}`}`,
  );
}

/** How a kernel route that is not what is wanted stands to krtd. */
function ownerWords(verdict: string, routeClass: string, withheld: boolean): string {
  if (routeClass !== "ours") return verdict === "learn" ? "foreign, learned" : "foreign";
  switch (verdict) {
    case "update":
      return "krtd's, but different";
    case "changed during scan":
      return "krtd's, being changed";
    case "protected":
      return "krtd's, kept by safety.protect";
    default:
      return withheld ? "krtd's, one of too many to be deleted unasked" : "krtd's, to be deleted";
  }
}
