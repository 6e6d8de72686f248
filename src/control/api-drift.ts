/** GET /v1/drift: what others did to our routes, as the kernel protocols remember it, oldest first. */

import { jsonText } from "../lib/ascii-json.ts";
import type { Prefix } from "../lib/prefix.ts";
import type { DriftRecord, Protocol } from "../nest/protocol.ts";
import type { RouteAttrs } from "../nest/route.ts";
import { ApiError } from "./api-error.ts";
import type { Call } from "./call.ts";
import type { CountJson } from "./json.ts";
import { equalPrefix } from "./kernel-query.ts";
import { findProtocol } from "./protocol-match.ts";
import { Query } from "./query.ts";
import { prefixText, renderAttrs } from "./render-attrs.ts";

const SLICE_RECORDS = 1024;

interface Found {
  readonly protocol: Protocol;
  readonly record: DriftRecord;
}

export async function drift(call: Call): Promise<void> {
  const query = new Query(call.parameters, ["prefix", "protocol", "count"]);
  const prefixes = query.prefixes("prefix");
  const found = select(call, prefixes, query.text("protocol"));
  if (query.flag("count")) {
    call.json(200, { count: found.length } satisfies CountJson);
    return;
  }
  const stream = call.stream();
  for (const [i, one] of found.entries()) {
    stream.push(recordText(call, one));
    if (stream.full || i % SLICE_RECORDS === SLICE_RECORDS - 1) {
      await stream.ready();
      await call.clock.yield();
    }
  }
  await stream.ready();
  stream.end();
}

function select(call: Call, prefixes: readonly Prefix[] | null, name: string | null): Found[] {
  const entries = name === null ? call.backend.protocols() : [findProtocol(call.backend, name)];
  const protocols = entries.map(({ protocol }) => protocol).filter(({ kernel }) => kernel !== undefined);
  if (name !== null && protocols.length === 0) {
    throw new ApiError(404, "not-kernel", `Protocol "${name}" is not a kernel protocol`);
  }
  const selected = (record: DriftRecord): boolean =>
    prefixes === null || prefixes.some((prefix) => equalPrefix(prefix, record.prefix));
  return protocols
    .flatMap((protocol) => (protocol.kernel?.drift ?? []).map((record) => ({ protocol, record })))
    .filter(({ record }) => selected(record))
    .sort((a, b) => a.record.at - b.record.at);
}

function recordText(call: Call, { protocol, record }: Found): string {
  const interfaces = call.backend.interfacesOf(protocol.netns);
  const attrs = (value: RouteAttrs | null): string => {
    if (value === null) return "null";
    const { head, tail } = renderAttrs(family, value, (device) => interfaces.deviceName(device));
    return `{${head}${tail}}`;
  };
  const { family, w0, w1, w2, w3, length } = record.prefix;
  return (
    `{"at":"${new Date(record.at).toISOString()}","protocol":${jsonText(record.protocol)}` +
    `,"table":${protocol.kernel?.kernelTable ?? null}` +
    `,"dst":${prefixText(family, w0, w1, w2, w3, length)},"metric":${record.metric}` +
    `,"kind":"${record.kind}","seen-by":"${record.seenBy}","port":${record.port}` +
    `,"before":${attrs(record.before)},"after":${attrs(record.after)},"reaction":"${record.reaction}"}`
  );
}
