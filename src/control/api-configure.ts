/**
 * Changing the configuration, or asking what that would change. What stands in a file, and what follows from it,
 * is the daemon's to know; here are the questions, and the answers of HTTP.
 */

import { resolve } from "node:path";
import { MAX_DURATION_MS } from "../lib/duration.ts";
import { ApiError } from "./api-error.ts";
import type { ConfigureResult } from "./backend.ts";
import { Body } from "./body.ts";
import { type Call, noParameters } from "./call.ts";
import type { ConfigureJson, ConfirmJson, PlanJson } from "./json-actions.ts";

const MODES = ["apply", "soft", "check", "undo", "confirm"] as const;
const CONFIGURE_HINT = `The body is {"file":"/etc/krtd/krt.yaml","mode":"apply","undo-after":300,"force":false}; each member may be left out, and mode is one of ${MODES.join(", ")}.`;
const PLAN_HINT = `The body is {"file":"/etc/krtd/krt.yaml"}, or {} for the running file.`;

type Usable = Extract<ConfigureResult, { readonly ok: true }>;

/** POST /v1/configure */
export async function configure(call: Call): Promise<void> {
  noParameters(call);
  const body = new Body(call.body, ["file", "mode", "undo-after", "force"], CONFIGURE_HINT);
  const asked = body.text("mode") ?? "apply";
  const mode = MODES.find((known) => known === asked);
  if (mode === undefined) throw body.bad(`Unknown mode "${asked}"`);
  const file = fileOf(body);
  const undoAfterMs = undoAfter(body);
  if (undoAfterMs !== null && mode !== "apply" && mode !== "soft") {
    throw body.bad(`Member "undo-after" does not go with mode "${mode}"`);
  }
  if (file !== null && (mode === "undo" || mode === "confirm")) {
    throw body.bad(`Member "file" does not go with mode "${mode}"`);
  }
  const force = body.flag("force");
  if (force && mode !== "apply" && mode !== "soft") {
    throw body.bad(`Member "force" does not go with mode "${mode}"`);
  }
  const { backend } = call;
  if (mode === "confirm") {
    if (!backend.confirm()) throw nothingTo("confirm", "No configuration waits to be confirmed");
    call.json(200, { confirmed: true } satisfies ConfirmJson);
    return;
  }
  const result =
    mode === "undo"
      ? await backend.undo()
      : await backend.configure({ file, mode, undoAfterMs, ...(force ? { force } : {}) });
  if (result === null) throw nothingTo("undo", "There is no configuration to go back to");
  const used = usable(result);
  call.json(200, {
    file: resolve(used.file),
    mode,
    applied: used.applied,
    "undo-in-seconds": backend.status().config["undo-in-seconds"],
    plan: used.plan,
  } satisfies ConfigureJson);
}

/** POST /v1/plan */
export async function plan(call: Call): Promise<void> {
  noParameters(call);
  const file = fileOf(new Body(call.body, ["file"], PLAN_HINT));
  const result = usable(await call.backend.configure({ file, mode: "plan", undoAfterMs: null }));
  call.json(200, { file: resolve(result.file), plan: result.plan } satisfies PlanJson);
}

/** The daemon's working directory means nothing to a client, so only whole paths are taken. */
function fileOf(body: Body): string | null {
  const file = body.text("file");
  if (file === null) return null;
  if (!file.startsWith("/") || file.includes("\0")) throw body.bad(`Member "file" is not an absolute path`);
  return file;
}

/** Milliseconds. */
function undoAfter(body: Body): number | null {
  const seconds = body.number("undo-after");
  if (seconds === null) return null;
  const ms = Math.round(seconds * 1000);
  if (!(ms > 0 && ms <= MAX_DURATION_MS)) {
    throw body.bad(
      `Member "undo-after" is ${seconds}: not between 0.001 and ${MAX_DURATION_MS / 1000} seconds`,
    );
  }
  return ms;
}

/** Throws ApiError 422 "bad-config" with all that is wrong with the file, or 409 "too-many-deletions". */
function usable(result: ConfigureResult): Usable {
  if (result.ok) return result;
  if ("tooMany" in result) {
    const { message, hint } = result.tooMany;
    throw new ApiError(409, "too-many-deletions", message, hint ?? undefined);
  }
  throw new ApiError(
    422,
    "bad-config",
    result.problems.trimEnd(),
    "Nothing was changed: the configuration that runs stays.",
  );
}

function nothingTo(what: "undo" | "confirm", message: string): ApiError {
  return new ApiError(409, `nothing-to-${what}`, message);
}
