/**
 * The daemon inside the test's own process, on the real kernel of a namespace: for tests that must see or spoil
 * what passes through the OS port. Everything else is as in a process of its own.
 */

import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadConfig } from "../../src/config/load.ts";
import { renderProblems } from "../../src/config/problems.ts";
import { configReader } from "../../src/config/reader.ts";
import { Daemon } from "../../src/daemon/daemon.ts";
import { systemClock } from "../../src/lib/clock.ts";
import type { Family } from "../../src/lib/ip.ts";
import { silentLog } from "../../src/lib/log.ts";
import { AttrsTable } from "../../src/nest/attrs.ts";
import { openLinuxOs } from "../../src/sysdep/linux/index.ts";
import { linuxOsProvider } from "../../src/sysdep/linux/provider.ts";
import type { Os } from "../../src/sysdep/os.ts";
import { makeDirectory } from "./krtd.ts";
import type { Netns } from "./netns.ts";

export interface LiveDaemon extends AsyncDisposable {
  readonly daemon: Daemon;
  /** What it runs on, unwrapped. */
  readonly os: Os;
  stop(options: { readonly keep: boolean }): Promise<void>;
}

/** Starts a daemon in `ns`; `wrap` puts something between it and the kernel. */
export async function startDaemon(
  ns: Netns,
  yaml: string,
  wrap: (os: Os) => Os = (os) => os,
): Promise<LiveDaemon> {
  const config = await configOf(yaml);
  const attrs = new AttrsTable();
  const os = openLinuxOs({ ...config.netlink, attrs, log: silentLog, netns: ns.name });
  await os.open();
  const daemon = new Daemon({
    config,
    reader: configReader(),
    version: "test",
    os: wrap(os),
    provider: linuxOsProvider({ ...config.netlink, attrs, log: silentLog, clock: systemClock }),
    onConfig: () => {},
    attrs,
    observe: false,
    clock: systemClock,
    log: silentLog,
    onFatal: (message) => {
      throw new Error(message);
    },
    onShutdown: () => {},
  });
  const stop = async (options: { readonly keep: boolean }): Promise<void> => {
    await daemon.stop(options);
    await os.close();
  };
  try {
    await daemon.start();
  } catch (error) {
    await stop({ keep: true });
    throw error;
  }
  return { daemon, os, stop, [Symbol.asyncDispose]: () => stop({ keep: false }) };
}

async function configOf(yaml: string) {
  const directory = await makeDirectory();
  try {
    const file = join(directory, "krt.yaml");
    await writeFile(file, yaml);
    const loaded = await loadConfig(file);
    if (!loaded.ok) throw new Error(renderProblems(loaded.problems));
    return loaded.config;
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** An Os whose route dumps can be spoiled, and which remembers the order of dumps and writes. */
export class SpoiltDumps implements Os {
  readonly transport: Os["transport"];
  readonly counters: Os["counters"];
  /** "honest"; or every dump ends as incomplete, having shown all, or only every other route. */
  mode: "honest" | "all, incomplete" | "half, incomplete" = "honest";
  /** "dump 4 complete", "dump 6 incomplete", "write 4", in the order they ended (dumps) and began (writes). */
  readonly trace: string[] = [];
  /** Route events of IPv6 that the monitor told so far. */
  events6 = 0;
  /** The daemon hears of no route event. */
  deaf = false;
  /** Runs within each dump, before its end is told. */
  meanwhile: (family: Family) => Promise<void> = () => Promise.resolve();
  private readonly os: Os;

  constructor(os: Os) {
    this.os = os;
    this.transport = os.transport;
    this.counters = os.counters;
  }

  open(): Promise<void> {
    return this.os.open();
  }

  close(): Promise<void> {
    return this.os.close();
  }

  mayWrite(): Promise<boolean> {
    return this.os.mayWrite();
  }

  scanInterfaces(...args: Parameters<Os["scanInterfaces"]>): ReturnType<Os["scanInterfaces"]> {
    return this.os.scanInterfaces(...args);
  }

  monitor(...[sink]: Parameters<Os["monitor"]>): ReturnType<Os["monitor"]> {
    return this.os.monitor({
      link: (link) => sink.link(link),
      linkGone: (ifindex) => sink.linkGone(ifindex),
      address: (address) => sink.address(address),
      nexthopGone: () => {},
      addressGone: (address) => sink.addressGone(address),
      lost: (reason) => sink.lost(reason),
      route: (route, change, port) => {
        if (route.family === 6) this.events6++;
        if (!this.deaf) sink.route(route, change, port);
      },
    });
  }

  writeRoutes(...args: Parameters<Os["writeRoutes"]>): ReturnType<Os["writeRoutes"]> {
    this.trace.push(`write ${args[0].family}`);
    return this.os.writeRoutes(...args);
  }

  async scanRoutes(...[query, sink]: Parameters<Os["scanRoutes"]>): ReturnType<Os["scanRoutes"]> {
    const { mode } = this;
    let count = 0;
    const outcome = await this.os.scanRoutes(query, {
      route: (route) => {
        if (mode !== "half, incomplete" || count++ % 2 === 0) sink.route(route);
      },
    });
    await this.meanwhile(query.family);
    const honest = mode === "honest";
    this.trace.push(`dump ${query.family} ${honest && outcome.complete ? "complete" : "incomplete"}`);
    return honest ? outcome : { ...outcome, complete: false, reason: "injected" };
  }
}
