/**
 * What a test can make go wrong. Each fault is armed a number of times and disarms itself; the ModelOs asks
 * ("take…") at the place where a real kernel would misbehave.
 */

import type { Drained } from "../os.ts";
import type { Answer } from "./route.ts";

export class Faults {
  /** CAP_NET_ADMIN is missing: every write answers EPERM. */
  privilegeDenied = false;
  /** The transport has no notifications: monitor() answers null. */
  withoutMonitor = false;
  private incompleteScans = 0;
  private incompleteInterfaceScans = 0;
  private lostAcknowledgements = 0;
  private reason = "";
  private readonly writeFaults: Answer[] = [];
  private readonly drained: Drained[] = [];
  private during: { readonly after: number; readonly act: () => void } | null = null;

  /** The next `count` route scans show only the first half of their nets and end incomplete. */
  injectIncompleteScan(count = 1, reason = "the dump was interrupted"): void {
    this.incompleteScans = count;
    this.reason = reason;
  }

  /** The next `count` interface scans show only half of the links, no addresses, and end incomplete. */
  injectIncompleteInterfaceScan(count = 1, reason = "the dump was interrupted"): void {
    this.incompleteInterfaceScans = count;
    this.reason = reason;
  }

  /** The next `count` changes are applied, but their answer never comes. */
  loseAcknowledgements(count = 1): void {
    this.lostAcknowledgements = count;
  }

  /** From now on (or no longer) this process may not write. */
  denyPrivilege(denied = true): void {
    this.privilegeDenied = denied;
  }

  /** The next change is refused with `errno` before it reaches the tables. Several queue up. */
  failNextWrite(errno: number, message: string | null = null): void {
    this.writeFaults.push({ errno, message });
  }

  /** The next drains of a monitor end like this, one each. */
  injectDrained(...results: readonly Drained[]): void {
    this.drained.push(...results);
  }

  /** Runs `act` once, inside the next route scan, right after its `after`-th route was handed out. */
  duringScan(after: number, act: () => void): void {
    this.during = { after, act };
  }

  /** Why the running scan must be incomplete, or null. */
  takeIncompleteScan(): string | null {
    return this.incompleteScans > 0 && this.incompleteScans-- > 0 ? this.reason : null;
  }

  takeIncompleteInterfaceScan(): string | null {
    return this.incompleteInterfaceScans > 0 && this.incompleteInterfaceScans-- > 0 ? this.reason : null;
  }

  takeLostAcknowledgement(): boolean {
    return this.lostAcknowledgements > 0 && this.lostAcknowledgements-- > 0;
  }

  takeWriteFault(): Answer | null {
    return this.writeFaults.shift() ?? null;
  }

  takeDrained(): Drained {
    return this.drained.shift() ?? "empty";
  }

  /** Told after every route of a scan. */
  shown(count: number): void {
    const during = this.during;
    if (during === null || count < during.after) return;
    this.during = null;
    during.act();
  }
}
