/**
 * A small router for the tests of control and krtctl: real tables, channels and interfaces, and kernel protocols
 * whose state is simply told. No OS, no daemon.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import type { ConfigPlan } from "../../src/config/plan.ts";
import type {
  ActRefusal,
  ConfigureRequest,
  ConfigureResult,
  ControlBackend,
  NamespaceView,
  ProtocolAction,
  StatusReport,
} from "../../src/control/backend.ts";
import { type ControlDeadlines, type ControlServer, startControl } from "../../src/control/server.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { type Family, parseIp } from "../../src/lib/ip.ts";
import { type Log, silentLog } from "../../src/lib/log.ts";
import { isPrefix, type Prefix, parsePrefix } from "../../src/lib/prefix.ts";
import { AttrsTable } from "../../src/nest/attrs.ts";
import { AttrsDraft } from "../../src/nest/attrs-draft.ts";
import { Channel, type ChannelOptions } from "../../src/nest/channel.ts";
import { ACCEPT_ALL } from "../../src/nest/filter.ts";
import { Interfaces } from "../../src/nest/iface.ts";
import type {
  DriftRecord,
  KernelFacet,
  KernelReport,
  KernelRouteStatus,
  KernelRouteView,
  Protocol,
  ProtocolEntry,
} from "../../src/nest/protocol.ts";
import {
  type AttrsId,
  ROUTE_TYPE_NUMBERS,
  type RouteSourceType,
  type RouteType,
} from "../../src/nest/route.ts";
import { Rtable } from "../../src/nest/rtable.ts";
import { tryFlock } from "../../src/sysdep/linux/flock.ts";

/** A name no terminal should see as it is. */
export const HOSTILE_NAME = "e\x1b[31m\xff \\0";

export interface RouteWords {
  readonly type?: RouteType;
  readonly hops?: readonly {
    readonly via?: string;
    readonly device?: number;
    readonly weight?: number;
    readonly onlink?: boolean;
  }[];
  readonly prefsrc?: string;
  readonly mtu?: number;
  readonly metric?: number;
  readonly preference?: number;
  /** By internOrigin(). */
  readonly origin?: number;
  readonly scope?: number;
  readonly realm?: number;
  /** By RTAX_* number, as the kernel has them. */
  readonly metrics?: Readonly<Record<number, number>>;
}

export function prefixOf(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (!isPrefix(prefix)) throw new Error(prefix.message);
  return prefix;
}

export function fillDraft(draft: AttrsDraft, words: RouteWords): void {
  draft.reset(ROUTE_TYPE_NUMBERS[words.type ?? "unicast"]);
  for (const { via, device = 0, weight = 1, onlink = false } of words.hops ?? []) {
    const gateway = via === undefined ? null : parseIp(via);
    const { family, w0, w1, w2, w3 } = gateway ?? { family: 0 as const, w0: 0, w1: 0, w2: 0, w3: 0 };
    draft.addNexthop(family, w0, w1, w2, w3, device, weight, onlink ? 4 : 0, 0);
  }
  if (words.prefsrc !== undefined) {
    const { w0, w1, w2, w3 } = parseIp(words.prefsrc)!;
    draft.setPrefsrc(w0, w1, w2, w3);
  }
  draft.setMetric(2, words.mtu ?? 0);
  for (const [rtax, value] of Object.entries(words.metrics ?? {})) draft.setMetric(Number(rtax), value);
  if (words.scope !== undefined) draft.setScope(words.scope);
  draft.setFlow(words.realm ?? 0);
  draft.finish();
}

/** A kernel protocol that says what it is told. */
export class FakeKernel implements KernelFacet {
  readonly family: Family;
  readonly kernelTable: number;
  readonly inSync: boolean = true;
  readonly firstSync: Promise<void> = Promise.resolve();
  /** By node; others are synced with metric 32. */
  readonly statuses: Map<number, Partial<KernelRouteStatus>> = new Map();
  dumped: KernelRouteView[] = [];
  problem: string | null = null;
  readonly drift: DriftRecord[] = [];

  constructor(family: Family, kernelTable: number) {
    this.family = family;
    this.kernelTable = kernelTable;
  }

  report(): KernelReport {
    return {
      table: this.kernelTable,
      scan: {
        state: "idle",
        count: 12,
        incomplete: 0,
        lastAt: Date.UTC(2026, 10, 21, 2),
        lastDurationMs: 7.12,
        lastProblem: null,
        routes: 1003,
      },
      writes: { add: 3, replace: 0, delete: 0, errors: { ENETUNREACH: 2 } },
      withheld: 0,
      learned: 0,
      repaired: 1,
      contested: 0,
      queued: 0,
      waiting: 0,
      failed: 0,
    };
  }

  status(node: number): KernelRouteStatus {
    return {
      state: "synced",
      metric: 32,
      errno: null,
      message: null,
      attempts: 0,
      nextRetryAt: null,
      rival: null,
      ...this.statuses.get(node),
    };
  }

  async dump(onRoute: (route: KernelRouteView) => void): Promise<string | null> {
    for (const route of this.dumped) await onRoute(route);
    return this.problem;
  }
}

const SOURCE_TYPES: Readonly<Record<Protocol["type"], RouteSourceType>> = {
  device: "direct",
  kernel: "inherit",
  static: "static",
  direct: "direct",
  pipe: "pipe",
};

/** Nothing would change. */
export const EMPTY_PLAN: ConfigPlan = {
  tables: { added: [], removed: [] },
  protocols: [],
  settings: [],
  empty: true,
};

export class Router implements ControlBackend {
  readonly attrs: AttrsTable = new AttrsTable();
  readonly interfaces: Interfaces = new Interfaces({ requireAddress: false });
  readonly master4: Rtable = new Rtable("master4", 4, this.attrs, systemClock);
  readonly master6: Rtable = new Rtable("master6", 6, this.attrs, systemClock);
  readonly blue4: Rtable = new Rtable("blue4", 4, this.attrs, systemClock);
  readonly kernel4: FakeKernel = new FakeKernel(4, 254);
  readonly kernel6: FakeKernel = new FakeKernel(6, 254);
  readonly entries: ProtocolEntry[] = [];
  readonly channels: Map<string, Channel> = new Map();
  readonly scans: string[] = [];
  readonly shutdowns: { keep: boolean }[] = [];
  /** What was asked, as "disable kernel4", and reasons to refuse it. */
  readonly acts: string[] = [];
  readonly refusals: Map<string, string | ActRefusal> = new Map();
  readonly configured: ConfigureRequest[] = [];
  /** What configure() and undo() answer. */
  result: ConfigureResult = { ok: true, file: "/etc/krt.yaml", plan: EMPTY_PLAN, applied: true };
  undone: ConfigureResult | null = null;
  /** Seconds until the last configuration is undone; confirm() takes it away. */
  undoInSeconds: number | null = null;
  /** Beside the daemon's own. */
  readonly others: NamespaceView[] = [];
  state: StatusReport["state"] = "in-sync";
  readonly draft: AttrsDraft = new AttrsDraft();

  tables(): readonly Rtable[] {
    return [this.master4, this.master6, this.blue4];
  }

  protocols(): readonly ProtocolEntry[] {
    return this.entries;
  }

  namespaces(): readonly NamespaceView[] {
    return [{ name: null, interfaces: this.interfaces, problem: null }, ...this.others];
  }

  interfacesOf(netns: string | null): Interfaces {
    return this.namespaces().find(({ name }) => name === netns)?.interfaces ?? this.interfaces;
  }

  async configure(request: ConfigureRequest): Promise<ConfigureResult> {
    this.configured.push(request);
    if (request.undoAfterMs !== null && this.result.ok) this.undoInSeconds = request.undoAfterMs / 1000;
    return this.result;
  }

  async undo(): Promise<ConfigureResult | null> {
    return this.undone;
  }

  confirm(): boolean {
    const waits = this.undoInSeconds !== null;
    this.undoInSeconds = null;
    return waits;
  }

  async act(action: ProtocolAction, name: string, force = false): Promise<ActRefusal | null> {
    this.acts.push(`${action} ${name}${force ? " by force" : ""}`);
    const refusal = force ? null : (this.refusals.get(name) ?? null);
    return typeof refusal === "string" ? { code: "refused", reason: refusal } : refusal;
  }

  shutdown(options: { readonly keep: boolean }): void {
    this.shutdowns.push(options);
  }

  status(): StatusReport {
    return {
      version: "0.1.0",
      state: this.state,
      "router-id": "192.0.2.1",
      pid: 4711,
      started: "2026-11-21T02:00:00.000Z",
      "uptime-seconds": 3725,
      observe: false,
      config: {
        file: "/etc/krt.yaml",
        loaded: "2026-11-21T02:00:00.000Z",
        ok: true,
        error: null,
        "undo-in-seconds": this.undoInSeconds,
      },
      counts: {
        protocols: this.entries.length,
        routes: 10,
        nets: 10,
        waiting: 1,
        failed: 0,
        withheld: 0,
        interfaces: 2,
      },
      netlink: {
        transport: "socket",
        overruns: 0,
        resyncs: 0,
        forged: 0,
        truncated: 0,
        resync: { state: "live", "last-reason": null, "last-at": null, "last-ms": null },
      },
      "event-loop": { "lag-p99-ms": 1.2 },
    };
  }

  /** Adds a protocol that is up, with a channel to each of `tables`; `options` are those of its channels. */
  async add(
    name: string,
    type: Protocol["type"],
    tables: readonly Rtable[],
    more: Partial<Protocol> = {},
    options: Partial<ChannelOptions> = {},
  ): Promise<void> {
    const channels = tables.map(
      (table) =>
        new Channel({
          name,
          table,
          sourceType: SOURCE_TYPES[type],
          preference: type === "kernel" ? 10 : 200,
          import: ACCEPT_ALL,
          export: ACCEPT_ALL,
          deviceName: String,
          clock: systemClock,
          ...options,
        }),
    );
    for (const channel of channels) await channel.up();
    if (channels[0] !== undefined) this.channels.set(name, channels[0]);
    const scan = async (options = { force: false }): Promise<boolean> => {
      this.scans.push(options.force ? `${name} by force` : name);
      return true;
    };
    const protocol: Protocol = {
      name,
      type,
      channels,
      netns: null,
      start: async () => {},
      stop: async () => {},
      info: () => "",
      ...(type === "device" || type === "kernel" ? { scan } : {}),
      ...more,
    };
    this.entries.push({ protocol, disabled: false, state: "up", since: Date.UTC(2026, 10, 21, 2) });
  }

  intern(words: RouteWords): AttrsId {
    fillDraft(this.draft, words);
    return this.attrs.intern(this.draft);
  }

  /** Imports a route through the channel of `protocol`; returns its node. */
  route(protocol: string, dst: string, words: RouteWords): number {
    const channel = this.channels.get(protocol)!;
    const { w0, w1, w2, w3, length } = prefixOf(dst);
    channel.importRoute(
      w0,
      w1,
      w2,
      w3,
      length,
      this.intern(words),
      words.metric ?? 0,
      words.origin,
      words.preference,
    );
    return channel.table.fib.find(w0, w1, w2, w3, length);
  }

  /** What a kernel dump shows. */
  kernelRoute(kernel: FakeKernel, dst: string, words: RouteWords, more: Partial<KernelRouteView> = {}): void {
    fillDraft(this.draft, words);
    kernel.dumped.push({
      prefix: prefixOf(dst),
      table: kernel.kernelTable,
      protocol: 120,
      type: ROUTE_TYPE_NUMBERS[words.type ?? "unicast"],
      scope: 0,
      tos: 0,
      metric: words.metric ?? 32,
      attrs: this.attrs.describeDraft(this.draft),
      class: "ours",
      verdict: "seen",
      ...more,
    });
  }
}

/** lo, eth0 with two addresses, and an interface with a hostile name; two kernel protocols; one static, empty. */
export async function makeRouter(): Promise<Router> {
  const router = new Router();
  const { interfaces } = router;
  const link = {
    mtu: 1500,
    mac: "02:00:00:00:00:01",
    kind: "veth",
    master: null,
    operstate: 6,
    carrier: true,
  };
  interfaces.beginFull();
  interfaces.link({ ...link, ifindex: 1, name: "lo", flags: 0x49, mtu: 65536, mac: null, kind: null });
  interfaces.link({ ...link, ifindex: 2, name: "eth0", flags: 0x11043 });
  interfaces.link({ ...link, ifindex: 3, name: HOSTILE_NAME, flags: 0x1002, master: 2, operstate: 2 });
  const v4 = parseIp("192.0.2.10")!;
  interfaces.address({ ...v4, ifindex: 2, length: 24, peer: null, scope: 0, flags: 0x80 });
  const v6 = parseIp("fe80::1")!;
  interfaces.address({ ...v6, ifindex: 2, length: 64, peer: null, scope: 253, flags: 0xc0 });
  interfaces.endFull();
  await router.add("device1", "device", []);
  await router.add("kernel4", "kernel", [router.master4], { kernel: router.kernel4 });
  await router.add("kernel6", "kernel", [router.master6], { kernel: router.kernel6 });
  await router.add("uplinks", "static", [router.master4]);
  await router.add("uplinks6", "static", [router.master6]);
  await router.add("lab", "static", [router.blue4]);
  return router;
}

/** The routes most text tests look at: one of each kind and state. */
export function addSampleRoutes(router: Router): void {
  const eth0 = { via: "192.0.2.1", device: 2 };
  router.route("uplinks", "0.0.0.0/0", { hops: [eth0] });
  router.route("uplinks", "10.0.0.0/8", { type: "blackhole" });
  const waiting = router.route("uplinks", "172.16.0.0/12", { hops: [{ device: 3 }] });
  router.kernel4.statuses.set(waiting, {
    state: "waiting",
    errno: 100,
    message: "Network is down",
    attempts: 3,
    nextRetryAt: Date.UTC(2026, 10, 21, 3),
  });
  const failed = router.route("uplinks", "198.51.100.0/24", {
    hops: [{ ...eth0, onlink: true }],
    mtu: 1400,
    prefsrc: "192.0.2.10",
    metric: 50,
  });
  router.kernel4.statuses.set(failed, {
    state: "failed",
    errno: 17,
    message: "File exists",
    attempts: 1,
    rival: "198.51.100.0/24 proto boot metric 50",
  });
  router.route("uplinks", "203.0.113.0/24", {
    hops: [
      { via: "192.0.2.2", device: 2 },
      { via: "192.0.2.3", device: 2, weight: 3 },
    ],
  });
  router.route("kernel4", "203.0.113.0/24", { hops: [{ via: "192.0.2.9", device: 2 }], metric: 1024 });
  router.route("uplinks6", "2001:db8::/32", { hops: [{ via: "fe80::99", device: 2 }] });
  router.route("lab", "192.0.2.0/24", { hops: [{ device: 2 }], metric: 7 });
}

export interface Running {
  readonly router: Router;
  readonly server: ControlServer;
  readonly path: string;
  stop(): Promise<void>;
}

/** Starts the server on a socket in a temporary directory. */
export async function startRouter(
  router: Router,
  options: { readonly deadlines?: ControlDeadlines; readonly log?: Log } = {},
): Promise<Running> {
  const directory = mkdtempSync(join(tmpdir(), "krtd-control-"));
  const path = join(directory, "krtd.sock");
  const server = await startControl({
    backend: router,
    clock: systemClock,
    log: options.log ?? silentLog,
    listen: { path, mode: 0o660, group: null, createParent: false, tryFlock },
    ...(options.deadlines === undefined ? {} : { deadlines: options.deadlines }),
  });
  return {
    router,
    server,
    path,
    stop: async () => {
      await server.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Makes a router for every test of a file, with the sample routes, and serves it: what is given is the one of the test. */
export function serveEachTest(): Readonly<Pick<Running, "router" | "server" | "path">> {
  let running: Running | null = null;
  beforeEach(async () => {
    const router = await makeRouter();
    addSampleRoutes(router);
    running = await startRouter(router);
  });
  afterEach(() => running?.stop());
  return {
    get router() {
      return running!.router;
    },
    get server() {
      return running!.server;
    },
    get path() {
      return running!.path;
    },
  };
}
