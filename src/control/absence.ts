/**
 * Why something that is configured is not there now: a protocol that does not run, a route that its static protocol
 * does not announce.
 */

import { formatAddress } from "../lib/ip.ts";
import type { Channel } from "../nest/channel.ts";
import type { ProtocolEntry, StaticRouteView } from "../nest/protocol.ts";

export interface Absence {
  /**
   * down: the protocol does not run. filter: the import filter said no. link, way: it has no nexthop now. wait: it will
   * come.
   */
  readonly why: "down" | "filter" | "link" | "way" | "wait";
  /** What goes on after "uplinks knows it, but": `is disabled`, `its import filter "x" turns it away`. */
  readonly text: string;
  /** What to do about it, or null. */
  readonly advice: string | null;
}

/** "disabled", or its state. */
export function lifeWords({ disabled, state }: ProtocolEntry): string {
  return disabled ? "disabled" : state;
}

/**
 * What it is doing or why it does not work, of one that could not start why not; "" when all is well. What a kernel
 * protocol would wait for if it ran is of no interest while it does not.
 */
export function infoOf({ protocol, state, problem = null }: ProtocolEntry): string {
  if (problem !== null) return problem;
  return protocol.kernel !== undefined && state === "down" ? "" : protocol.info();
}

/** `kernel4 is disabled`, `blue4 is down: There is no network namespace blue`. */
export function downWords(entry: ProtocolEntry): string {
  const info = entry.disabled ? "" : infoOf(entry);
  return `${entry.protocol.name} is ${lifeWords(entry)}${info === "" ? "" : `: ${info}`}`;
}

/** Null: the protocol is up. */
export function absenceByState(entry: ProtocolEntry): Absence | null {
  const { disabled, state, protocol } = entry;
  if (state === "up") return null;
  const text = `is ${lifeWords(entry)}`;
  if (disabled) return { why: "down", text, advice: `krtctl enable ${protocol.name}` };
  return state === "starting"
    ? { why: "wait", text, advice: null }
    : { why: "down", text, advice: `krtctl show protocols all ${protocol.name}` };
}

/** Why a configured static route is not in the table of its channel. */
export function absenceOfStatic(
  entry: ProtocolEntry,
  { attrs, recursive }: StaticRouteView,
  channel: Channel,
): Absence {
  const byState = absenceByState(entry);
  if (byState !== null) return byState;
  if (attrs === null && recursive !== null) {
    const address = formatAddress(recursive);
    return { why: "way", text: `no route it may follow leads to ${address} (recursive)`, advice: null };
  }
  if (attrs === null) {
    return { why: "link", text: "the link it leads over is down (check-link)", advice: null };
  }
  return absenceByFilter(channel, "it is about to be announced");
}

/** `soon` is what is the matter when there is no filter to blame. */
export function absenceByFilter({ importing }: Channel, soon: string): Absence {
  return importing.name === "all"
    ? { why: "wait", text: soon, advice: null }
    : { why: "filter", text: `its import filter "${importing.name}" turns it away`, advice: null };
}
