/**
 * GET /v1/diff: what the kernel has that krtd does not want so, and what krtd wants that the kernel has not. All
 * dumps are looked through before the first byte is sent, so that one that fails is an error and not half an answer;
 * what is missing is found in slices while it is sent.
 */

import { jsonText } from "../lib/ascii-json.ts";
import type { Clock } from "../lib/clock.ts";
import { kernelTableId } from "../lib/kernel-names.ts";
import { NONE, type NodeId } from "../nest/route.ts";
import { INFLIGHT, QUEUED } from "../nest/sync-flags.ts";
import { downWords } from "./absence.ts";
import { ApiError } from "./api-error.ts";
import type { ControlBackend } from "./backend.ts";
import type { Call } from "./call.ts";
import type { DiffNote } from "./diff-rows.ts";
import { TableDiff } from "./diff-table.ts";
import { wantedText } from "./diff-wanted.ts";
import { kernelOf, type TableKernel } from "./explain-target.ts";
import { standingWords } from "./explain-words.ts";
import type { KernelRow } from "./kernel-backlog.ts";
import { absentPlace, notUp } from "./kernel-place.ts";
import { nameOf, rowText } from "./kernel-query.ts";
import { Query } from "./query.ts";
import type { RecordStream } from "./record-stream.ts";
import { prefixText } from "./render-attrs.ts";
import { type TableContext, tableContexts } from "./table-context.ts";

const SLICE = 1024;

export async function diff(call: Call): Promise<void> {
  const name = new Query(call.parameters, ["table"]).text("table");
  const looked: TableDiff[] = [];
  for (const { table, kernel } of compared(call.backend, name)) {
    const found = new TableDiff(table, kernel, call.backlog());
    const problem = await found.look(call);
    if (problem !== null) throw incomplete(found, problem);
    if (found.rows.overflowed) throw tooMany(kernel);
    looked.push(found);
  }
  const stream = call.stream();
  for (const found of looked) {
    await sendShown(found, stream, call.clock);
    await sendMissing(found, stream, call.clock);
  }
  await stream.ready();
  stream.end();
}

interface Compared {
  readonly table: TableContext;
  readonly kernel: TableKernel;
}

/** By krtd's name of the table ("master4"), by number, or by what iproute2 calls it; null: every attached table. */
function compared(backend: ControlBackend, name: string | null): Compared[] {
  const id = name === null ? null : kernelTableId(name);
  const attached = tableContexts(backend).flatMap((table) => {
    const kernel = kernelOf(backend, table);
    return kernel === null ? [] : [{ table, kernel }];
  });
  const found = attached.filter(
    ({ table, kernel }) => name === null || table.rtable.name === name || kernel.facet.kernelTable === id,
  );
  if (name !== null && found.length === 0) {
    const absent = absentPlace(tableContexts(backend), name);
    if (absent !== null) throw notUp(`compare table ${name} with the kernel`, absent);
    const names = attached.map(({ table }) => table.rtable.name).join(", ");
    throw new ApiError(
      404,
      "no-such-table",
      `No kernel protocol is attached to a table "${name}"`,
      names === "" ? "There is no kernel protocol at all." : `Tables with one are ${names}.`,
    );
  }
  const up = found.filter(({ kernel }) => kernel.entry.state === "up");
  const [first] = found;
  if (name !== null && up.length === 0 && first !== undefined) {
    const { entry, name: protocol } = first.kernel;
    const what = `compare table ${first.table.rtable.name} with the kernel`;
    throw notUp(what, { name: protocol, down: downWords(entry), disabled: entry.disabled });
  }
  return up;
}

function incomplete({ kernel: { facet }, table: { netns } }: TableDiff, problem: string): ApiError {
  return new ApiError(
    503,
    "incomplete-dump",
    `Cannot read the kernel's routes completely: ${nameOf({ facet, netns })}: ${problem}`,
    "The table changes while it is read; try again.",
  );
}

function tooMany({ facet }: Pick<TableKernel, "facet">): ApiError {
  return new ApiError(
    503,
    "too-many-differences",
    `Kernel table ${facet.kernelTable} holds more unwanted routes than can be listed`,
    "Look at krtctl show kernel class ours.",
  );
}

async function sendShown(found: TableDiff, stream: RecordStream, clock: Clock): Promise<void> {
  for (let i = 1; ; i++) {
    if (found.rows.overflowed) throw tooMany(found.kernel);
    const next = found.rows.take();
    if (next === null) return;
    const text = shownText(found, next.row, next.note);
    if (text !== null) stream.push(text);
    if (!stream.full && i % SLICE !== 0) continue;
    await stream.ready();
    await clock.yield();
  }
}

/** Null: what was under way when the dump showed it has ended well. */
function shownText(found: TableDiff, row: KernelRow, note: DiffNote): string | null {
  const { w0, w1, w2, w3, length } = row;
  const { channel, facet } = found.kernel;
  const { fib } = found.table.rtable;
  const node = fib.find(w0, w1, w2, w3, length);
  const exported = node !== NONE && channel.isExported(node);
  const status = exported ? facet.status(node) : null;
  const writing = node !== NONE && isWriting(found, node);
  if (note.busy && !writing && (status === null || status.state === "synced")) return null;
  const standing =
    status === null || note.busy || note.op === "delete" ? null : standingWords(status, writing, facet);
  const wanted =
    exported && note.op === "replace" ? wantedText(found.table, found.kernel, node, status!.metric) : "null";
  const dst = prefixText(row.template.family, w0, w1, w2, w3, length);
  const reason = standing === null ? note.reason : `${note.reason}; ${standing}`;
  return recordText(note.op, found, dst, wanted, rowText(row), reason);
}

async function sendMissing(found: TableDiff, stream: RecordStream, clock: Clock): Promise<void> {
  const { fib } = found.table.rtable;
  const limit = fib.idLimit;
  let visited = 0;
  for (let node = fib.next(NONE); node !== NONE && node < limit; node = fib.next(node)) {
    if (found.isMissing(node)) stream.push(missingText(found, node));
    if (!stream.full && ++visited % SLICE !== 0) continue;
    await stream.ready();
    await clock.yield();
  }
}

function missingText(found: TableDiff, node: NodeId): string {
  const { table, kernel } = found;
  const { fib } = table.rtable;
  const status = kernel.facet.status(node);
  const standing = standingWords(status, isWriting(found, node), kernel.facet);
  const reason = standing ?? "gone from the kernel since krtd wrote it; the next scan puts it back";
  const wanted = wantedText(table, kernel, node, status.metric);
  return recordText("add", found, `"${fib.formatNode(node)}"`, wanted, "null", reason);
}

function isWriting({ table }: TableDiff, node: NodeId): boolean {
  return (table.rtable.fib.flags[node]! & (QUEUED | INFLIGHT)) !== 0;
}

/** `dst`, `wanted` and `kernel` are JSON. */
function recordText(
  op: DiffNote["op"],
  { kernel: { facet }, table: { netns } }: TableDiff,
  dst: string,
  wanted: string,
  kernel: string,
  reason: string,
): string {
  const where = netns === null ? "" : `"netns":${jsonText(netns)},`;
  return `{"op":"${op}",${where}"table":${facet.kernelTable},"dst":${dst},"wanted":${wanted},"kernel":${kernel},"reason":${jsonText(reason)}}`;
}
