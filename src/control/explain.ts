/**
 * GET /v1/explain: why a net is in the kernel or not. The table, the channel and the kernel protocol tell what they
 * did and hold for true, and a fresh dump what the kernel has; nothing here decides what a route should be.
 */

import type { Call } from "./call.ts";
import { type ExplainFacts, explainFacts } from "./explain-facts.ts";
import type { ExplainJson } from "./explain-json.ts";
import { explainReason } from "./explain-reason.ts";
import { explainVerdict } from "./explain-shown.ts";
import { explainSteps } from "./explain-steps.ts";
import { explainTarget } from "./explain-target.ts";
import { Query } from "./query.ts";

export async function explain(call: Call): Promise<void> {
  const query = new Query(call.parameters, ["prefix", "table"]);
  const target = explainTarget(call.backend, query);
  call.json(200, explainJson(await explainFacts(call.backend, target, call)));
}

function explainJson(facts: ExplainFacts): ExplainJson {
  const verdict = explainVerdict(facts);
  return {
    dst: facts.dst,
    table: facts.target.table.rtable.name,
    address: facts.address,
    verdict,
    reason: explainReason(facts, verdict),
    steps: explainSteps(facts),
    route: facts.route,
    wanted: facts.wanted?.json ?? null,
    "kernel-routes": facts.look.routes,
    rival: facts.rival,
    covering: { route: facts.covering, kernel: facts.look.covering },
  };
}
