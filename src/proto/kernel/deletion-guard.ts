/**
 * What a scan found that nobody wants is "held" until every source of routes has fed, and then goes only when it is not
 * too much at once: more than `safety.max-delete-percent` of all routes of ours that the dump showed is withheld until
 * somebody forces it, the configuration wants the routes again, or allows more. Everything else goes on as ever.
 */

import type { Log } from "../../lib/log.ts";
import { type Deletions, deletionWords, isTooMany, type Safety } from "./safety.ts";
import type { StaleRoutes } from "./stale-routes.ts";

export class DeletionGuard {
  /** The last complete scan found what nobody wants, and some sources of routes have not fed yet. */
  held = false;
  /** What the last complete scan would have deleted, and did not; null: nothing. */
  withheld: Deletions | null = null;
  private readonly name: string;
  private readonly safety: Safety;
  private readonly writable: boolean;
  private readonly log: Log;
  private forced: boolean;
  private told = 0;

  /** `forced`: the first scan that may delete anything deletes all of it. */
  constructor(options: {
    readonly name: string;
    readonly safety: Safety;
    /** False: nothing is ever deleted. */
    readonly writable: boolean;
    readonly log: Log;
    readonly forced: boolean;
  }) {
    this.name = options.name;
    this.safety = options.safety;
    this.writable = options.writable;
    this.log = options.log;
    this.forced = options.forced;
  }

  /** The next scan that may delete anything deletes all that nobody wants. */
  force(): void {
    this.forced = true;
  }

  /** Empties the list of what nobody wants, of so many that a complete dump showed, when that has to stay. */
  sift(stale: StaleRoutes, standing: number, allFed: boolean): void {
    const { log, name } = this;
    const routes = stale.size;
    this.held = routes > 0 && !allFed;
    if (this.held) {
      log.info("routes of ours that nobody wants yet are kept until all sources have fed", {
        protocol: name,
        routes,
      });
      stale.clear();
    } else if (this.writable) {
      if (this.withholds({ deletions: routes, standing })) stale.clear();
      else if (routes > 0) log.info("removing stale routes of ours", { protocol: name, routes });
    }
  }

  /** Says so once while it is the same. */
  private withholds(found: Deletions): boolean {
    const withhold = !this.forced && isTooMany(found, this.safety.maxDeletePercent);
    this.withheld = withhold ? found : null;
    const count = withhold ? found.deletions : 0;
    if (withhold && count !== this.told) {
      this.log.error("too many routes of ours are not wanted any more: they are not deleted", {
        protocol: this.name,
        unwanted: found.deletions,
        routes: found.standing,
        percent: Math.ceil((found.deletions * 100) / found.standing),
        "max-delete-percent": this.safety.maxDeletePercent,
        hint: `delete them with "krtctl scan --force ${this.name}", or configure what wants them`,
      });
    }
    this.told = count;
    return withhold;
  }

  /** A prune deleted what it was to delete: the next one asks again. */
  spent(): void {
    if (!this.held) this.forced = false;
  }

  /** For an operator: what is withheld, why, and the way out; "" when nothing is. */
  info(): string {
    if (this.withheld === null) return "";
    return (
      `${deletionWords(this.withheld)} are not wanted and not deleted, as safety.max-delete-percent is ` +
      `${this.safety.maxDeletePercent}: krtctl scan --force ${this.name}`
    );
  }
}
