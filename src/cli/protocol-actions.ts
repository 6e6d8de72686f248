/** What is done to protocols: `scan`, and `enable`, `disable`, `restart`, `reload`. */

import type { ProtocolAction } from "../control/backend.ts";
import type { ActJson, ScanJson } from "../control/json-actions.ts";
import { escapeText } from "./escape.ts";
import { EXIT_FAILED, EXIT_OK } from "./exit-code.ts";
import type { Output } from "./output.ts";
import { atWork, type Session, showValue } from "./session.ts";

export async function scan(session: Session, output: Output): Promise<number> {
  const request = { method: "POST", path: protocolPath(session, "scan") } as const;
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

/** Exit code 1 when it was not done to all; that nothing can be done to a device protocol is no failure of `all`. */
export async function act(action: ProtocolAction, session: Session, output: Output): Promise<number> {
  const path = protocolPath(session, action);
  const request = { method: "POST", path, progress: atWork(session) } as const;
  const answer = await showValue<ActJson>(session, output, request, ({ protocols }) =>
    protocols
      .map(({ name, done, reason }) =>
        done
          ? `${escapeText(name)}: ${DONE[action]}\n`
          : `${escapeText(name)}: not ${DONE[action]}: ${escapeText(reason ?? "")}\n`,
      )
      .join(""),
  );
  return answer.protocols.every(({ done, type }) => done || type === "device") ? EXIT_OK : EXIT_FAILED;
}

function protocolPath(session: Session, verb: string): string {
  return `/v1/protocols/${encodeURIComponent(session.operands[0]!)}/${verb}`;
}
