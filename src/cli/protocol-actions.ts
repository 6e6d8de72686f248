/** What is done to protocols: `scan`, and `enable`, `disable`, `restart`, `reload`. */

import type { ProtocolAction } from "../control/backend.ts";
import type { ActJson, ScanJson } from "../control/json-actions.ts";
import { escapeLines, escapeText } from "./escape.ts";
import { EXIT_BAD_CONFIG, EXIT_FAILED, EXIT_OK } from "./exit-code.ts";
import type { Output } from "./output.ts";
import { atWork, type Session, showValue } from "./session.ts";

export async function scan(session: Session, output: Output): Promise<number> {
  const { force } = session.options;
  const path = protocolPath(session, "scan");
  const request = { method: "POST", path, ...(force ? { body: { force } } : {}) } as const;
  await showValue<ScanJson>(session, output, request, ({ started }) =>
    started.map((name) => `${escapeText(name)}: scan started\n`).join(""),
  );
  return EXIT_OK;
}

const DONE: Readonly<Record<ProtocolAction, string>> = {
  enable: "enabled",
  disable: "disabled",
  restart: "restarted",
  reload: "reloaded",
};

/**
 * Exit code 0 when every protocol is as was asked, 4 when bad configuration is what kept all the others from it, else 1.
 * What is enabled, or disabled, already is as was asked.
 */
export async function act(action: ProtocolAction, session: Session, output: Output): Promise<number> {
  const path = protocolPath(session, action);
  const body = session.options.force ? { body: { force: true } } : {};
  const request = { method: "POST", path, ...body, progress: atWork(session) } as const;
  const answer = await showValue<ActJson>(session, output, request, ({ protocols }) =>
    protocols.map((protocol) => `${escapeText(protocol.name)}: ${outcome(action, protocol)}\n`).join(""),
  );
  const failed = answer.protocols.filter(({ done, code }) => !done && code !== "already");
  if (failed.length === 0) return EXIT_OK;
  return failed.every(({ code }) => code === "bad-config") ? EXIT_BAD_CONFIG : EXIT_FAILED;
}

function outcome(action: ProtocolAction, { done, reason, code }: ActJson["protocols"][number]): string {
  if (done) return DONE[action];
  if (code === "already") return `${DONE[action]} already`;
  // Its problems, as configure prints them.
  if (code === "bad-config") return `not ${DONE[action]}: bad configuration:\n${escapeLines(reason ?? "")}`;
  return `not ${DONE[action]}: ${escapeText(reason ?? "")}`;
}

function protocolPath(session: Session, verb: string): string {
  return `/v1/protocols/${encodeURIComponent(session.operands[0]!)}/${verb}`;
}
