/** `explain PREFIX|IP [table NAME]`: asks why a route is, or is not, in the kernel. */

import type { ExplainJson } from "../control/explain-json.ts";
import { EXIT_NOT_FOUND, EXIT_OK, UsageError } from "./exit-code.ts";
import { explainText } from "./explain-text.ts";
import type { Output } from "./output.ts";
import { parseSelectors } from "./selectors.ts";
import { type Session, showValue } from "./session.ts";

/** Exit code 6 when there is no such route. */
export async function explain(session: Session, output: Output): Promise<number> {
  const query = parseSelectors(session.operands, ["table"]);
  if (!query.has("prefix")) {
    throw new UsageError('"explain" needs a prefix', "Usage: krtctl explain PREFIX|IP [table NAME]");
  }
  const { style } = session;
  const request = { method: "GET", path: `/v1/explain?${query}`, progress: () => {} } as const;
  const { verdict } = await showValue<ExplainJson>(session, output, request, (answer) =>
    explainText(answer, style),
  );
  return verdict === "no-such-route" ? EXIT_NOT_FOUND : EXIT_OK;
}
