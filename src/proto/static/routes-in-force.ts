/**
 * One configuration of a static protocol in force: its routes, what their specs are made into, and the work that
 * brings the table in line with both. A reconfiguration makes another one; nothing of the old is kept then.
 *
 * Only one piece of this work runs at a time (static.ts sees to that). Plain routes come first, for recursive ones
 * may follow them.
 */

import { inSlices, type Pace } from "../../lib/slices.ts";
import type { Channel } from "../../nest/channel.ts";
import type { Interfaces } from "../../nest/iface.ts";
import type { StaticRouteView } from "../../nest/protocol.ts";
import type { RouteId } from "../../nest/route.ts";
import { announceDue, withdrawGone } from "./announce.ts";
import type { StaticConfig } from "./config.ts";
import { SpecAttrs } from "./spec-attrs.ts";

/** What looking a spec up costs of a slice (announce.ts): it may search all interfaces. */
const REFRESH = 512;

export class RoutesInForce {
  readonly config: StaticConfig;
  readonly made: SpecAttrs;
  private readonly channel: Channel;
  private readonly pace: Pace;

  /** Does nothing yet: everything is stale. */
  constructor(config: StaticConfig, channel: Channel, interfaces: Interfaces, pace: Pace) {
    this.config = config;
    this.made = new SpecAttrs(config, channel.table, interfaces);
    this.channel = channel;
    this.pace = pace;
  }

  /** Looks up the stale plain specs, and announces what changed. */
  async refreshPlain(stands?: (i: number) => boolean): Promise<void> {
    const { made } = this;
    if (!made.plainStale) return;
    made.plainStale = false;
    const { specs } = this.config.routes;
    const refresh = (spec: number): number => {
      if (specs[spec]!.recursive !== null) return 1;
      made.refreshPlain(spec);
      return REFRESH;
    };
    if (await inSlices(specs.length, refresh, this.pace)) await this.announce(stands);
  }

  /** Looks up the stale recursive specs, and announces what changed. */
  async resolve(stands?: (i: number) => boolean): Promise<void> {
    const { made } = this;
    const { followed } = made;
    if (followed === null || !made.recursiveStale) return;
    made.recursiveStale = false;
    const refresh = (position: number): number => {
      made.refreshRecursive(position, this.willBeRecursive);
      return REFRESH;
    };
    if (await inSlices(followed.count, refresh, this.pace)) await this.announce(stands);
  }

  /**
   * Takes over from another configuration: no route of that is left which stands here no more. What stood there just as
   * here is not announced again, unless a filter may say something else of it; with `soft` not even then.
   */
  async replace(before: RoutesInForce, soft: boolean): Promise<void> {
    const [was, is] = [before.config, this.config];
    const match = await is.routes.match(was.routes, this.pace);
    if (match === null) return;
    const judged = was.import.key === is.import.key && before.announced;
    const stands = (i: number): boolean =>
      (soft || (judged && !this.made.toAnnounceAgain)) && this.stoodIn(before, match.old[i]! - 1, i);
    await this.refreshPlain(stands);
    if (this.pace.stopped()) return;
    await withdrawGone(was.routes, match.gone, this.channel, this.pace);
    if (this.pace.stopped()) return;
    await this.resolve(stands);
  }

  /** All is announced: what is needed only to compare this configuration with another one is given up. */
  settle(): void {
    if (this.made.followed === null) this.config.routes.dropIndex();
  }

  /** Whether the table has of it what it should have by now. */
  private get announced(): boolean {
    const { recursiveStale, due } = this.made;
    return !recursiveStale && !due.includes(1);
  }

  /** How many routes have no way now, and why, in words; "" when all have. */
  shortfall(): string {
    const { made, config } = this;
    if (!made.ids.includes(0)) return "";
    const { routes, checkLink } = config;
    let recursive = 0;
    let plain = 0;
    for (let i = 0; i < routes.count; i++) {
      const spec = routes.spec[i]!;
      if (made.ids[spec] !== 0) continue;
      if (routes.specs[spec]!.recursive !== null) recursive++;
      else if (checkLink) plain++;
    }
    const parts: string[] = [];
    if (recursive > 0) parts.push(`${counted(recursive, "recursive route")} unresolved`);
    if (plain > 0) parts.push(`${counted(plain, "route")} without a link that is up`);
    return parts.join(", ");
  }

  view(i: number): StaticRouteView {
    const { routes, preference } = this.config;
    const { family } = routes;
    const spec = routes.spec[i]!;
    const { metric, recursive } = routes.specs[spec]!;
    const id = this.made.ids[spec]!;
    return {
      prefix: {
        family,
        w0: routes.word(i, 0),
        w1: routes.word(i, 1),
        w2: routes.word(i, 2),
        w3: routes.word(i, 3),
        length: routes.length[i]!,
      },
      attrs: id === 0 ? null : this.channel.table.attrs.describe(id, family),
      configured: id === 0 ? this.made.configured(spec, family) : null,
      metric,
      recursive,
      preference,
    };
  }

  private announce(stands?: (i: number) => boolean): Promise<void> {
    return announceDue(this.config.routes, this.made, this.channel, this.pace, stands);
  }

  /** Whether route `i` was the same as route `k` (-1: none) of `before`, as that was made into attributes there. */
  private stoodIn(before: RoutesInForce, k: number, i: number): boolean {
    if (k < 0 || before.config.preference !== this.config.preference) return false;
    const { spec, specs } = this.config.routes;
    const old = before.config.routes;
    const [here, there] = [spec[i]!, old.spec[k]!];
    const [is, was] = [specs[here]!, old.specs[there]!];
    const same = is.metric === was.metric && (is.recursive === null) === (was.recursive === null);
    return same && this.made.ids[here] === before.made.ids[there];
  }

  /** Whether the route is ours, and recursive by this configuration though it was not by the one before. */
  private readonly willBeRecursive = (route: RouteId): boolean => {
    const { table, source } = this.channel;
    if (table.sourceOf(route) !== source) return false;
    const { routes } = this.config;
    const { w0, w1, w2, w3, length } = table.fib.prefix(table.netOf(route));
    const i = routes.find(w0, w1, w2, w3, length);
    return i >= 0 && routes.specs[routes.spec[i]!]!.recursive !== null;
  };
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
