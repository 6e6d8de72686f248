/** A net as the kernel is to have it, as JSON: what the channel exports for it, and not the best route as it came. */

import { jsonText } from "../lib/ascii-json.ts";
import type { NodeId } from "../nest/route.ts";
import type { AttachedKernel, TableContext } from "./table-context.ts";

/** The text of a WantedJson. Only for a node that is exported; `metric` is the one its status tells. */
export function wantedText(
  table: TableContext,
  { channel }: Pick<AttachedKernel, "channel">,
  node: NodeId,
  metric: number,
): string {
  const { rtable } = table;
  const best = rtable.best(node);
  const { head, tail } = table.attrs(channel.exportedAttrs(node));
  const { name, sourceType } = rtable.source(rtable.sourceOf(best));
  return (
    `{"table":${jsonText(rtable.name)},"dst":"${rtable.fib.formatNode(node)}",${head}` +
    `${metric === 0 ? "" : `,"metric":${metric}`}${tail},"source":${jsonText(name)},"source-type":"${sourceType}"` +
    `,"kernel":${table.kernelOf(node, best, true)}}`
  );
}
