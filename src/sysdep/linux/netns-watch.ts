/**
 * Tells when the network namespace behind a name comes, goes or is replaced. `ip netns add` makes an empty file and
 * mounts the namespace over it some milliseconds later, and there is no event for a mount: an event of the
 * directory is only a reason to look, now and again at growing distances. The slow look that goes on for ever is
 * the safety net, and all there is for files in procfs and for directories that cannot be watched.
 *
 *   event of the file → look … 10 ms → look … 20 ms → look … 1 s → look … 1 s → look
 */

import { statSync, watch } from "node:fs";
import { basename, dirname } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import type { NetnsWatch } from "../os.ts";
import { netnsIdentity, netnsPath } from "./netlink/netns.ts";

/** The longest that a change goes unnoticed. */
const SLOWEST_LOOK_MS = 1000;
const FIRST_LOOK_MS = 10;

/** What the watcher sees of the file system; another in tests. */
export interface NetnsSight {
  /** As netnsIdentity(). */
  identify(path: string): string | null;
  /**
   * Calls `changed` with the name of each entry that comes or goes (null: not known which). Null when the directory
   * does not exist or cannot be watched.
   */
  watchDirectory(directory: string, changed: (name: string | null) => void): DirectoryWatch | null;
}

export interface DirectoryWatch {
  /** Whether the directory there is still the one that is watched. */
  isCurrent(): boolean;
  /** Idempotent. */
  close(): void;
}

/** Watches from now on. `changed` is called from the event loop, never from here. */
export class NetnsWatcher implements NetnsWatch {
  private readonly path: string;
  private readonly changed: () => void;
  private readonly clock: Clock;
  private readonly sight: NetnsSight;
  private known: string | null;
  private directory: DirectoryWatch | null = null;
  private delayMs = SLOWEST_LOOK_MS;
  private cancelLook: () => void = () => {};
  private closed = false;

  constructor(netns: string, changed: () => void, clock: Clock, sight: NetnsSight = nodeSight) {
    this.path = netnsPath(netns);
    this.changed = changed;
    this.clock = clock;
    this.sight = sight;
    this.watchDirectory();
    this.known = this.identity();
    this.schedule();
  }

  identity(): string | null {
    return this.sight.identify(this.path);
  }

  close(): void {
    this.closed = true;
    this.cancelLook();
    this.directory?.close();
  }

  private watchDirectory(): void {
    if (this.directory?.isCurrent() === true) return;
    this.directory?.close();
    this.directory = this.sight.watchDirectory(dirname(this.path), (name) => {
      if (this.closed || (name !== null && name !== basename(this.path))) return;
      this.delayMs = FIRST_LOOK_MS;
      this.look();
    });
  }

  private look(): void {
    this.cancelLook();
    this.watchDirectory();
    const now = this.identity();
    const differs = now !== this.known;
    this.known = now;
    this.schedule();
    if (differs) this.changed();
  }

  private schedule(): void {
    this.cancelLook = this.clock.after(this.delayMs, () => this.look());
    this.delayMs = Math.min(this.delayMs * 2, SLOWEST_LOOK_MS);
  }
}

const nodeSight: NetnsSight = {
  identify: netnsIdentity,
  watchDirectory(directory, changed) {
    try {
      const inode = inodeOf(directory);
      const watcher = watch(directory, { persistent: false }, (_event, name) => changed(name));
      let failed = false;
      watcher.on("error", () => {
        failed = true;
      });
      return {
        isCurrent: () => !failed && inodeOf(directory) === inode,
        close: () => watcher.close(),
      };
    } catch {
      return null;
    }
  },
};

function inodeOf(directory: string): bigint | undefined {
  return statSync(directory, { bigint: true, throwIfNoEntry: false })?.ino;
}
