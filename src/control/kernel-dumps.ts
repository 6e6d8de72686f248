/**
 * Kernel dumps for clients (show kernel, explain, diff). A dump occupies the socket that the daemon's own scans need, so
 * there is never more than one of them for all clients: a scan waits for one at most. The others wait in order; too many
 * are refused, and one whose client left is not begun.
 */

import type { ServerResponse } from "node:http";
import type { KernelFacet, KernelRouteView } from "../nest/protocol.ts";
import { ApiError } from "./api-error.ts";
import { BacklogSpace, type KernelBacklog } from "./kernel-backlog.ts";

const MAX_WAITING = 16;

export class KernelDumps {
  private readonly space = new BacklogSpace();
  private readonly waiting: (() => void)[] = [];
  private running = false;

  /**
   * KernelFacet.dump, when its turn has come. `check` is called then, and may throw. Throws ApiError 503 when too many
   * wait.
   */
  async run(
    facet: Pick<KernelFacet, "dump">,
    onRoute: (route: KernelRouteView) => void,
    check: () => void,
  ): Promise<string | null> {
    if (this.running) await this.turn();
    this.running = true;
    try {
      check();
      return await facet.dump(onRoute);
    } finally {
      this.running = false;
      this.waiting.shift()?.();
    }
  }

  /** Space for kernel routes that wait to be sent, until the answer is out or its client gone. */
  backlog(response: Pick<ServerResponse, "once">): KernelBacklog {
    const backlog = this.space.open();
    response.once("close", () => this.space.close(backlog));
    return backlog;
  }

  private turn(): Promise<void> {
    if (this.waiting.length >= MAX_WAITING) {
      throw new ApiError(
        503,
        "too-many-dumps",
        `Cannot read the kernel's routes: ${MAX_WAITING} other requests wait for that`,
        "Try again in a moment. krtctl show routes needs no dump.",
      );
    }
    // Whoever comes before the one that is woken has begun is not let in between.
    return new Promise((resolve) =>
      this.waiting.push(() => {
        this.running = true;
        resolve();
      }),
    );
  }
}
