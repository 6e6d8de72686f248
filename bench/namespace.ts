/**
 * The network namespace of the benchmark: one link with a network of gateways on it, nothing of the machine's
 * own. How many routes are in it is read from /proc, without the help of the program that is measured.
 */

import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { type Child, run, start, until } from "./children.ts";
import { machineAtRest } from "./machine-load.ts";
import { DEVICE, DEVICE_ADDRESSES, type Family, METRIC } from "./routes.ts";

const LIMIT_MS = 60_000;

export class Namespace {
  readonly name: string;
  /** A process inside, for its view of /proc/net. It ends with us, when its input does. */
  private readonly resident: Child;
  private ownRoutes = 0;

  private constructor(name: string) {
    this.name = name;
    this.resident = start(this.inside(["cat"]));
  }

  /** Makes it. remove() has to be called, also when this fails. Needs root. */
  static async create(name: string): Promise<Namespace> {
    await run(["ip", "netns", "add", name], LIMIT_MS);
    const namespace = new Namespace(name);
    const inode = statSync(`/run/netns/${name}`).ino;
    const proc = `/proc/${namespace.resident.pid}/ns/net`;
    await until("entering the namespace", LIMIT_MS, 5, () => statSync(proc).ino === inode);
    await namespace.ip("link set lo up");
    await namespace.ip(`link add ${DEVICE} type veth peer name ${DEVICE}-peer`);
    await namespace.ip(`link set ${DEVICE}-peer up`);
    await namespace.ip(`addr add ${DEVICE_ADDRESSES[4]} dev ${DEVICE}`);
    await namespace.bringUp();
    namespace.ownRoutes = namespace.countAll();
    return namespace;
  }

  /** Removes it, and never throws: there may be nothing to remove. */
  static remove(name: string): void {
    try {
      execFileSync("ip", ["netns", "del", name], { stdio: "ignore", timeout: LIMIT_MS });
    } catch {
      // It was not there.
    }
  }

  /** The command that runs `command` inside. `ip` execs it: the pid is its own. */
  inside(command: readonly string[]): string[] {
    return ["ip", "netns", "exec", this.name, ...command];
  }

  async ip(command: string): Promise<void> {
    await run(["ip", "-n", this.name, ...command.split(" ")], LIMIT_MS);
  }

  deviceIndex(): number {
    const text = execFileSync("ip", ["-n", this.name, "-j", "link", "show", "dev", DEVICE], {
      encoding: "utf8",
      timeout: LIMIT_MS,
    });
    return (JSON.parse(text) as { ifindex: number }[])[0]!.ifindex;
  }

  /** Routes of the benchmark in table main. */
  routeCount(family: Family): number {
    return family === 4 ? this.countAll() - this.ownRoutes : this.count6();
  }

  /**
   * Takes all routes out: the kernel drops those of a link that goes down, faster than any command could. It frees them
   * later, for half a second and on one processor: who came next would have the other one.
   */
  async flush(): Promise<void> {
    await this.ip(`link set ${DEVICE} down`);
    await this.bringUp();
    const isEmpty = (): boolean => this.routeCount(4) === 0 && this.routeCount(6) === 0;
    await until("flushing routes", LIMIT_MS, 10, isEmpty);
    await machineAtRest();
  }

  /** An IPv6 address goes with its link. */
  private async bringUp(): Promise<void> {
    await this.ip(`link set ${DEVICE} up`);
    await this.awaitCarrier();
    await this.ip(`-6 addr replace ${DEVICE_ADDRESSES[6]} dev ${DEVICE} nodad`);
  }

  private async awaitCarrier(): Promise<void> {
    await until("the link", LIMIT_MS, 10, async () => {
      const { stdout } = await run(["ip", "-n", this.name, "-o", "link", "show", "dev", DEVICE], LIMIT_MS, {
        output: true,
      });
      return stdout.includes("LOWER_UP");
    });
  }

  /** Main and local share one trie while there are no rules, so both are in it. */
  private countAll(): number {
    const text = readFileSync(`/proc/${this.resident.pid}/net/fib_triestat`, "latin1");
    const found = /Main:[\s\S]*?Prefixes:\s*(\d+)/.exec(text);
    if (found === null) throw new Error("Cannot count routes: fib_triestat has no Main");
    return Number(found[1]);
  }

  /** IPv6 has no count of its own, and /proc/net/ipv6_route is slow and not whole: what iproute2 shows with our metric. */
  private count6(): number {
    const text = execFileSync("ip", ["-6", "-n", this.name, "route", "show", "metric", String(METRIC)], {
      encoding: "latin1",
      timeout: LIMIT_MS,
      maxBuffer: 1 << 30,
    });
    return text.split("\n").length - 1;
  }
}
