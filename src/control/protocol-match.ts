/** Finds protocols by what people call them. */

import { globMatches, isGlob } from "../lib/glob.ts";
import type { ProtocolEntry } from "../nest/protocol.ts";
import { ApiError } from "./api-error.ts";
import type { ControlBackend } from "./backend.ts";

/** "all", a glob, or a name. Throws 404 when nothing matches. */
export function matchProtocols(backend: ControlBackend, pattern: string): readonly ProtocolEntry[] {
  const all = backend.protocols();
  const exact = all.filter(({ protocol }) => protocol.name === pattern);
  if (exact.length > 0) return exact;
  if (pattern === "all") return all;
  const found = isGlob(pattern) ? all.filter(({ protocol }) => globMatches(pattern, protocol.name)) : [];
  if (found.length === 0) throw noSuchProtocol(backend, pattern);
  return found;
}

/**
 * Those that something is done to: as above, but a glob and "all" mean no device protocols, to which nothing can be
 * done, unless they match nothing else.
 */
export function actedOn(backend: ControlBackend, pattern: string): readonly ProtocolEntry[] {
  const found = matchProtocols(backend, pattern);
  const able = found.filter(({ protocol }) => protocol.type !== "device");
  return able.length === 0 || found.some(({ protocol }) => protocol.name === pattern) ? found : able;
}

/** By its exact name. Throws 404. */
export function findProtocol(backend: ControlBackend, name: string): ProtocolEntry {
  const found = backend.protocols().find(({ protocol }) => protocol.name === name);
  if (found === undefined) throw noSuchProtocol(backend, name);
  return found;
}

function noSuchProtocol(backend: ControlBackend, name: string): ApiError {
  const names = backend.protocols().map(({ protocol }) => protocol.name);
  return new ApiError(
    404,
    "no-such-protocol",
    `There is no protocol "${name}"`,
    `There are ${names.join(", ")}.`,
  );
}
