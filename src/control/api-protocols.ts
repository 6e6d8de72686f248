/** The answers about protocols: what they are and do, and what is done to them. */

import { errorText } from "../lib/errors.ts";
import { ApiError } from "./api-error.ts";
import type { ProtocolAction } from "./backend.ts";
import { Body } from "./body.ts";
import { type Call, noParameters, sendAll } from "./call.ts";
import type { ActJson, ScanJson } from "./json-actions.ts";
import { matchProtocols } from "./protocol-match.ts";
import { Query } from "./query.ts";
import { protocolJson } from "./render-reports.ts";

export function protocols(call: Call): Promise<void> {
  const name = new Query(call.parameters, ["name"]).text("name");
  const found = name === null ? call.backend.protocols() : matchProtocols(call.backend, name);
  return sendAll(call, found, protocolJson);
}

export function scan(call: Call): void {
  nothingBesides(call);
  const matching = matchProtocols(call.backend, call.name);
  const able = matching.filter(({ protocol, state }) => protocol.scan !== undefined && state === "up");
  if (able.length === 0) {
    const names = matching
      .map(({ protocol, state }) => `${protocol.name} (${protocol.type}, ${state})`)
      .join(", ");
    throw new ApiError(
      409,
      "cannot-scan",
      `Cannot scan ${call.name}: ${names} has nothing to scan`,
      "Device and kernel protocols scan, while they are up.",
    );
  }
  for (const { protocol } of able) {
    protocol.scan?.().catch((error: unknown) => {
      call.log.error("scan failed", { protocol: protocol.name, error: errorText(error) });
    });
  }
  call.json(200, { started: able.map(({ protocol }) => protocol.name) } satisfies ScanJson);
}

/** One after the other. What fails for one does not keep the others from it; 409 when it failed for all. */
export async function act(call: Call, action: ProtocolAction): Promise<void> {
  nothingBesides(call);
  const matching = matchProtocols(call.backend, call.name).map(({ protocol }) => protocol);
  // As at a stop: what brings routes goes before what takes them away from the kernel.
  const ordered = action === "disable" ? matching.toReversed() : matching;
  const done: ActJson["protocols"][number][] = [];
  for (const { name, type } of ordered) {
    const reason = await call.backend.act(action, name);
    done.push({ name, type, done: reason === null, reason });
  }
  if (done.some((one) => one.done)) {
    call.json(200, { action, protocols: done } satisfies ActJson);
    return;
  }
  const reasons = done.map(({ name, reason }) => `${name}: ${reason}`).join("; ");
  throw new ApiError(409, `cannot-${action}`, `Cannot ${action} ${reasons}`);
}

function nothingBesides(call: Call): void {
  noParameters(call);
  new Body(call.body, [], "There is no body.");
}
