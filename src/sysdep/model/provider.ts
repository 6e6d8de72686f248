/**
 * Network namespaces in memory: a kernel for each name. For tests of whatever serves namespaces that come, go and
 * are replaced; as in Linux an Os that is open holds its kernel, whatever becomes of the name.
 */

import { KrtdError } from "../../lib/errors.ts";
import type { NetnsWatch, OsProvider } from "../os.ts";
import type { ModelKernel } from "./kernel.ts";
import type { AttrsWords } from "./kernel-route.ts";
import { ModelOs } from "./os.ts";

export class ModelOsProvider implements OsProvider {
  private readonly attrs: AttrsWords;
  private readonly kernels: Map<string | null, ModelKernel>;
  private readonly made = new Map<string | null, ModelOs>();
  private readonly watches = new Set<ModelWatch>();
  private readonly serials = new Map<ModelKernel, number>();

  /** `kernels` by name, null: the process's own namespace. The map is copied. */
  constructor(attrs: AttrsWords, kernels: Iterable<readonly [string | null, ModelKernel]> = []) {
    this.attrs = attrs;
    this.kernels = new Map(kernels);
  }

  create(netns: string | null): ModelOs {
    const os = new ModelOs(() => this.kernelOf(netns), this.attrs);
    this.made.set(netns, os);
    return os;
  }

  watch(netns: string, changed: () => void): NetnsWatch {
    const watch = new ModelWatch(
      () => this.identity(netns),
      changed,
      () => this.watches.delete(watch),
    );
    this.watches.add(watch);
    return watch;
  }

  ownIdentity(): string | null {
    return this.identity(null);
  }

  /** The namespace comes, or another one takes its name. */
  set(netns: string | null, kernel: ModelKernel): void {
    this.kernels.set(netns, kernel);
    this.look();
  }

  /** The name goes. Who has the kernel open keeps it. */
  remove(netns: string | null): void {
    this.kernels.delete(netns);
    this.look();
  }

  /** The Os that was made last for that name, with its journal and faults. Throws when there was none. */
  os(netns: string | null): ModelOs {
    const os = this.made.get(netns);
    if (os === undefined) throw new Error(`No Os was made for network namespace ${netns}`);
    return os;
  }

  private kernelOf(netns: string | null): ModelKernel {
    const kernel = this.kernels.get(netns);
    if (kernel !== undefined) return kernel;
    throw new KrtdError(
      "netns-unavailable",
      `Cannot enter network namespace ${netns}: No such file or directory`,
    );
  }

  private identity(netns: string | null): string | null {
    const kernel = this.kernels.get(netns);
    if (kernel === undefined) return null;
    const serial = this.serials.get(kernel) ?? this.serials.size + 1;
    this.serials.set(kernel, serial);
    return `model:${serial}`;
  }

  private look(): void {
    for (const watch of [...this.watches]) watch.look();
  }
}

/** Tells in a later microtask, so that nobody is called from inside set() and remove(). */
class ModelWatch implements NetnsWatch {
  readonly identity: () => string | null;
  private readonly changed: () => void;
  private readonly onClose: () => void;
  private known: string | null;
  private closed = false;

  constructor(identity: () => string | null, changed: () => void, onClose: () => void) {
    this.identity = identity;
    this.changed = changed;
    this.onClose = onClose;
    this.known = identity();
  }

  look(): void {
    const now = this.identity();
    if (now === this.known) return;
    this.known = now;
    queueMicrotask(() => {
      if (!this.closed) this.changed();
    });
  }

  close(): void {
    this.closed = true;
    this.onClose();
  }
}

/** Namespaces by name; null is the process's own. */
export function modelOsProvider(
  attrs: AttrsWords,
  kernels: Iterable<readonly [string | null, ModelKernel]> = [],
): ModelOsProvider {
  return new ModelOsProvider(attrs, kernels);
}
