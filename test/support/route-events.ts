/**
 * The route events of an Os as lines of text, the same for the model kernel and the real one: what changed, who
 * did it, and the route. Devices have names, for their numbers differ; rtm_flags are state (dead, linkdown) that
 * no one may rely on in an event. Connected routes stand at the end in no order: Linux makes them from a work
 * queue, so their place among the others means nothing. Table local is left out (addresses from random MACs).
 */

import type { KernelRoute, MonitorSink, RouteChange } from "../../src/sysdep/os.ts";
import { routeText } from "./route-text.ts";

const RTPROT_KERNEL = 2;
const RT_TABLE_LOCAL = 255;

export class RouteEvents implements MonitorSink {
  private readonly seen: { readonly made: "kernel" | "asked"; readonly text: string }[] = [];
  private readonly connected: string[] = [];
  private readonly names = new Map<number, string>([[1, "lo"]]);
  private readonly stop: ((text: string) => boolean) | null;
  private readonly stopped: () => void;

  /** `stop` says of a line whether it is the last; `stopped` is then called. */
  constructor(stop: ((text: string) => boolean) | null = null, stopped: () => void = () => {}) {
    this.stop = stop;
    this.stopped = stopped;
  }

  link({ ifindex, name }: { readonly ifindex: number; readonly name: string }): void {
    this.names.set(ifindex, name);
  }

  linkGone(): void {}
  address(): void {}
  addressGone(): void {}
  nexthopGone(): void {}

  route(route: KernelRoute, change: RouteChange, port: number): void {
    if (route.table === RT_TABLE_LOCAL) return;
    const text = routeText(route)
      .replace(/ flags 0x\w+/, "")
      .replace(/ dev (\d+)/g, (_, index) => ` dev ${this.names.get(Number(index))}`);
    if (this.stop?.(text) === true) {
      if (change === "gone") this.stopped();
      return;
    }
    if (route.protocol === RTPROT_KERNEL) this.connected.push(`connected: ${change} ${text}`);
    else this.seen.push({ made: port === 0 ? "kernel" : "asked", text: `${change} ${text}` });
  }

  lost(reason: string): void {
    throw new Error(`Events were lost: ${reason}`);
  }

  /**
   * In the order they came, but for runs of what the kernel did by itself, which are sorted: Linux walks its
   * tables in an order of its own.
   */
  lines(): string[] {
    const lines: string[] = [];
    let run: string[] = [];
    for (const { made, text } of this.seen) {
      if (made === "asked") {
        lines.push(...run.sort());
        run = [];
        lines.push(`asked: ${text}`);
      } else run.push(`kernel: ${text}`);
    }
    return [...lines, ...run.sort(), ...this.connected.sort()];
  }
}
