/**
 * The life of a protocol as a pure machine; effects happen in ProtoManager.
 *
 *          start            started             stop             stopped
 *   down ────────► starting ────────► up ──────────────► stopping ────────► down
 *                     │ failed                              ▲
 *                     ├──────────► down                     │
 *                     └─────────────────────────────────────┘ stop
 */

export type ProtocolState = "down" | "starting" | "up" | "stopping";

export type ProtocolInput = "start" | "started" | "failed" | "stop" | "stopped";

const TRANSITIONS: Readonly<Record<ProtocolState, Partial<Record<ProtocolInput, ProtocolState>>>> = {
  down: { start: "starting" },
  starting: { started: "up", failed: "down", stop: "stopping" },
  up: { stop: "stopping" },
  stopping: { stopped: "down" },
};

/** The state that follows, or null when the input means nothing in this state. */
export function nextProtocolState(state: ProtocolState, input: ProtocolInput): ProtocolState | null {
  return TRANSITIONS[state][input] ?? null;
}
