/** The answers about protocols: what they are and do, and what is done to them. */

import { errorText } from "../lib/errors.ts";
import { ApiError } from "./api-error.ts";
import type { ProtocolAction } from "./backend.ts";
import { Body } from "./body.ts";
import { type Call, noParameters, sendAll } from "./call.ts";
import type { ActJson, ScanJson } from "./json-actions.ts";
import { actedOn, matchProtocols } from "./protocol-match.ts";
import { Query } from "./query.ts";
import { protocolJson } from "./render-reports.ts";

export function protocols(call: Call): Promise<void> {
  const name = new Query(call.parameters, ["name"]).text("name");
  const found = name === null ? call.backend.protocols() : matchProtocols(call.backend, name);
  return sendAll(call, found, protocolJson);
}

export function scan(call: Call): void {
  const force = forces(call);
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
    protocol.scan?.({ force }).catch((error: unknown) => {
      call.log.error("scan failed", { protocol: protocol.name, error: errorText(error) });
    });
  }
  call.json(200, { started: able.map(({ protocol }) => protocol.name) } satisfies ScanJson);
}

type Acted = ActJson["protocols"][number];

/**
 * One after the other. What fails for one does not keep the others from it; when none is as was asked it is 409, or 422
 * when bad configuration is all there is to it.
 */
export async function act(call: Call, action: ProtocolAction): Promise<void> {
  const force = action === "reload" && forces(call);
  if (action !== "reload") nothingBesides(call);
  const matching = actedOn(call.backend, call.name).map(({ protocol }) => protocol);
  // As at a stop: what brings routes goes before what takes them away from the kernel.
  const ordered = action === "disable" ? matching.toReversed() : matching;
  const acted: Acted[] = [];
  let hint: string | undefined;
  for (const { name, type } of ordered) {
    const refusal = await call.backend.act(action, name, force);
    hint ??= refusal?.hint;
    acted.push({
      name,
      type,
      done: refusal === null,
      reason: refusal?.reason ?? null,
      ...(refusal === null ? {} : { code: refusal.code }),
    });
  }
  if (!acted.some(({ done, code }) => done || code === "already")) throw notDone(action, acted, hint);
  call.json(200, { action, protocols: acted } satisfies ActJson);
}

/** `hint`: how to have what would delete too much. */
function notDone(action: ProtocolAction, acted: readonly Acted[], hint: string | undefined): ApiError {
  if (acted.every(({ code }) => code === "bad-config")) {
    // Of a file that cannot be read at all every protocol says the same.
    const problems = [...new Set(acted.map(({ reason }) => reason))].join("\n");
    return new ApiError(422, "bad-config", problems, "Nothing was changed: the routes that run stay.");
  }
  if (acted.every(({ code }) => code === "too-many-deletions")) {
    const reasons = [...new Set(acted.map(({ reason }) => reason))].join("; ");
    return new ApiError(409, "too-many-deletions", reasons, hint);
  }
  const told = acted.map(({ name, reason, code }) =>
    code === "bad-config" ? `${name}: bad configuration:\n${reason}` : `${name}: ${reason}`,
  );
  const inLines = acted.some(({ code }) => code === "bad-config");
  const text = inLines ? `:\n${told.join("\n")}` : ` ${told.join("; ")}`;
  return new ApiError(409, `cannot-${action}`, `Cannot ${action}${text}`);
}

/** Whether the body asks to delete from the kernel however much it is. */
function forces(call: Call): boolean {
  noParameters(call);
  return new Body(call.body, ["force"], `The body is {"force":true}, or nothing.`).flag("force");
}

function nothingBesides(call: Call): void {
  noParameters(call);
  new Body(call.body, [], "There is no body.");
}
