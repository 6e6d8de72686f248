/**
 * Wanted against the kernel, for one table. A dump tells what the kernel has, with the verdict of each route; what is
 * exported and was not shown is missing:
 *
 *   ours, seen                  nothing              exported, not shown         add
 *   ours, update                replace              exported, shown             nothing
 *   ours, delete or duplicate   delete
 *   any other class             nothing: learned and foreign routes are no difference
 *
 * Nets change while the dump runs. What was written meanwhile is not missing though no dump shows it, so the flags as
 * they were before the dump are kept; and what krtd takes for installed is missing only when a second dump does not
 * show it either, since a dump can omit routes.
 */

import type { Clock } from "../lib/clock.ts";
import type { KernelRouteView } from "../nest/protocol.ts";
import { NONE, type NodeId } from "../nest/route.ts";
import { SYNCED } from "../nest/sync-flags.ts";
import { walkNodes } from "../nest/walk.ts";
import type { Call } from "./call.ts";
import { DiffRows } from "./diff-rows.ts";
import { differenceWords } from "./diff-words.ts";
import type { AnyRouteJson } from "./json.ts";
import type { KernelBacklog, KernelRow, KernelTemplate } from "./kernel-backlog.ts";
import { refusal, rowOf } from "./kernel-query.ts";
import type { AttachedKernel, TableContext } from "./table-context.ts";

/** Differing pairs of attributes whose words are kept. */
const REMEMBERED = 4096;

export class TableDiff {
  readonly table: TableContext;
  readonly kernel: AttachedKernel;
  /** What the kernel has and should not have so. */
  readonly rows: DiffRows;
  /** By node, 1: the kernel shows a route of ours that is or becomes the wanted one. */
  private shown: Uint8Array;
  private flagsBefore: Uint16Array;
  private readonly words = new Map<string, string>();

  constructor(table: TableContext, kernel: AttachedKernel, backlog: KernelBacklog) {
    this.rows = new DiffRows(backlog);
    this.table = table;
    this.kernel = kernel;
    const { fib } = table.rtable;
    this.shown = new Uint8Array(fib.capacity);
    this.flagsBefore = fib.flags.slice();
  }

  /** Looks. Resolves with null, or with why the kernel's table could not be read. */
  async look({ clock, dump }: Pick<Call, "clock" | "dump">): Promise<string | null> {
    const { facet } = this.kernel;
    const problem = await dump(facet, (route) => this.route(route)).catch(refusal);
    if (problem !== null || !(await this.anyVanished(clock))) return problem;
    return await dump(facet, (route) => this.again(route)).catch(refusal);
  }

  /** Whether the net is wanted in the kernel and was not there. */
  isMissing(node: NodeId): boolean {
    if (!this.kernel.channel.isExported(node) || this.shown[node] === 1) return false;
    return !this.isSynced(node) || (this.flagsBefore[node]! & SYNCED) !== 0;
  }

  private isSynced(node: NodeId): boolean {
    return this.kernel.facet.status(node).state === "synced";
  }

  private async anyVanished(clock: Clock): Promise<boolean> {
    let found = false;
    const visit = (node: NodeId): void => {
      found ||= this.isMissing(node) && this.isSynced(node);
    };
    await walkNodes(this.table.rtable.fib, visit, clock, { stopped: () => found });
    return found;
  }

  private route(route: KernelRouteView): void {
    if (route.class !== "ours") return;
    const { channel } = this.kernel;
    const node = this.nodeOf(route);
    const exported = node !== NONE && channel.isExported(node);
    switch (route.verdict) {
      case "seen":
        this.show(node);
        return;
      case "update":
        this.show(node);
        this.add(route, "replace", this.difference(route, node));
        return;
      case "changed during scan":
        if (exported) this.show(node);
        this.add(route, exported ? "replace" : "delete", exported ? "being written" : "being deleted", true);
        return;
      case "protected": {
        const { metric } = this.kernel.facet.status(node);
        if (exported && metric === route.metric) {
          this.show(node);
          this.add(route, "replace", this.difference(route, node));
        } else if (!channel.exporting.rejectsAll) {
          this.add(route, "delete", `${this.unwanted(route, node, exported)}, and safety.protect keeps it`);
        }
        return;
      }
      default:
        // Where nothing is exported, routes with our number are not ours to judge.
        if (!channel.exporting.rejectsAll) this.add(route, "delete", this.unwanted(route, node, exported));
    }
  }

  /** A route of the second dump. */
  private again(route: KernelRouteView): void {
    if (route.class !== "ours" || (route.verdict !== "seen" && route.verdict !== "changed during scan"))
      return;
    this.show(this.nodeOf(route));
  }

  private nodeOf({ prefix: { w0, w1, w2, w3, length } }: KernelRouteView): NodeId {
    return this.table.rtable.fib.find(w0, w1, w2, w3, length);
  }

  private show(node: NodeId): void {
    if (node >= this.shown.length) {
      const grown = new Uint8Array(this.table.rtable.fib.capacity);
      grown.set(this.shown);
      this.shown = grown;
    }
    this.shown[node] = 1;
  }

  private add(route: KernelRouteView, op: "replace" | "delete", reason: string, busy = false): void {
    this.rows.add(this.row(route), { op, reason, busy });
  }

  private row(route: KernelRouteView): KernelRow {
    return rowOf(route, (device) => this.table.deviceName(device), this.table.netns);
  }

  private unwanted(route: KernelRouteView, node: NodeId, exported: boolean): string {
    if (!exported) return "nobody wants it any more";
    const { metric, state } = this.kernel.facet.status(node);
    if (metric === route.metric) return "a second route of krtd's at this key";
    return `wanted at metric ${metric}${state === "synced" ? "" : ", and stays until that is there"}`;
  }

  private difference(route: KernelRouteView, node: NodeId): string {
    const id = this.kernel.channel.exportedAttrs(node);
    const wanted = this.table.attrs(id);
    const { template } = this.row(route);
    const key = `${wanted.head}${wanted.tail}\n${template.head}${template.tail}`;
    let words = this.words.get(key);
    if (words === undefined) {
      words = differenceWords(parseAttrs(`${wanted.head}${wanted.tail}}`), parseTemplate(template));
      if (words === "") words = `it has protocol ${route.protocol}, a former number of krtd's`;
      if (this.words.size >= REMEMBERED) this.words.clear();
      this.words.set(key, words);
    }
    return words;
  }
}

function parseTemplate({ head, tail }: KernelTemplate): AnyRouteJson {
  return parseAttrs(`${head.slice(1)}${tail}`);
}

function parseAttrs(members: string): AnyRouteJson {
  return JSON.parse(`{${members}`) as AnyRouteJson;
}
