/**
 * Bits of Fib.flags: what the one kernel protocol of a table knows of each net (semantics: scan, verdict,
 * prune, export). The low nibble is the verdict of the running scan, a number and not a set of bits; CREATE
 * is 0 so that a net the scan never showed means "reinstall" without anybody touching it. What is to be deleted
 * or ignored has no node to flag: temporary kernel routes are never linked into the table. A node with any
 * bit set outlives its routes: Rtable frees a node only when it has neither routes nor flags.
 */

/** Takes the verdict out of the flags. */
export const VERDICT_MASK = 0xf;
/** Not shown by this scan. */
export const VERDICT_CREATE = 0;
/** Shown, equal to what is wanted. */
export const VERDICT_SEEN = 1;
/** Shown, but different: one replace. */
export const VERDICT_UPDATE = 2;
/** Shown, on record, and not wanted any more: it is among the stale ones. */
export const VERDICT_DELETE = 3;
/** Exported to the kernel: we want it there. */
export const INSTALLED = 0x10;
/** The kernel acknowledged it, or a scan saw it equal. */
export const SYNCED = 0x20;
/** The last write failed; errno and text are kept aside. */
export const SYNC_ERROR = 0x40;
/** Changed, by us or by an event, since the running scan began: that scan says nothing about it. */
export const DIRTY = 0x80;
/** A change waits in the export queue. */
export const QUEUED = 0x100;
/** A route of ours was sent and not known to be gone: the kernel may hold it. */
export const SENT = 0x200;
/** A foreign route stands at our exact key. */
export const RIVAL = 0x400;
/** A change was written and the kernel has not answered yet. */
export const INFLIGHT = 0x800;
/** The kernel shows a second route of ours for this net. */
export const DUPLICATE = 0x1000;
/** Was found missing or changed in the kernel, and not put right yet. */
export const DRIFTED = 0x2000;
/** It was sent, and the last dump did not show it: no proof, as routes changed meanwhile. */
export const MISSED = 0x4000;
