/**
 * A kernel protocol on the model kernel: v0 (10.0.0.1/24, 2001:db8:0:1::1/64) and its peer v1, a table with one
 * source of wanted routes, a fake clock. What the tests of the protocol share.
 */

import { readPrefixPattern } from "../../../src/config/prefix-pattern.ts";
import { type Family, parseIp } from "../../../src/lib/ip.ts";
import { type Log, type LogFields, type LogLevel, silentLog } from "../../../src/lib/log.ts";
import { isPrefix, type Prefix, parsePrefix } from "../../../src/lib/prefix.ts";
import { AttrsTable } from "../../../src/nest/attrs.ts";
import { Channel } from "../../../src/nest/channel.ts";
import { ACCEPT_ALL, REJECT_ALL } from "../../../src/nest/filter.ts";
import { Interfaces } from "../../../src/nest/iface.ts";
import type { KernelRouteStatus } from "../../../src/nest/protocol.ts";
import { Rtable } from "../../../src/nest/rtable.ts";
import { DeviceProtocol } from "../../../src/proto/device/device.ts";
import type { KernelConfig, SafetyConfig } from "../../../src/proto/kernel/config.ts";
import { KernelProtocol } from "../../../src/proto/kernel/kernel.ts";
import {
  ModelKernel,
  type ModelOs,
  modelOs,
  type RouteRequest,
  type RouteView,
} from "../../../src/sysdep/model/index.ts";
import { type AttrsText, draftOf } from "../../support/draft.ts";
import { FakeClock, settle } from "../../support/fake-clock.ts";

export const OWN = 120;
export const TABLE = 254;

export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

export interface Fixture {
  readonly family: Family;
  readonly kernel: ModelKernel;
  readonly os: ModelOs;
  readonly protocol: KernelProtocol;
  readonly device: DeviceProtocol;
  readonly table: Rtable;
  readonly attrs: AttrsTable;
  readonly interfaces: Interfaces;
  readonly clock: FakeClock;
  readonly fatal: string[];
  /** What the kernel protocol said, but for its debug lines. */
  readonly logged: LogLine[];
  /** Announces a route to the table. */
  want(prefix: string, attrs: AttrsText, metric?: number): void;
  unwant(prefix: string): void;
  /** Somebody else's hand on the kernel. */
  foreign(request: Omit<RouteRequest, "prefix" | "table"> & { prefix: string; table?: number }): number;
  /** Starts everything and waits for the first sync. */
  start(): Promise<void>;
  scan(): Promise<boolean>;
  /** Lines of the journal since the last call: "add 10.1.0.0/16 metric 32". Failed ones end with "!errno". */
  writes(): string[];
  /** Kernel routes that are not protocol kernel: "10.1.0.0/16 metric 32 proto 120 via …". */
  shown(): string[];
  status(prefix: string): KernelRouteStatus;
}

export function prefixOf(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (!isPrefix(prefix)) throw new Error(`not a prefix: ${text}`);
  return prefix;
}

/** `protect` as in krt.yaml. */
export function safety(protect: readonly string[] = [], maxDeletePercent = 50): SafetyConfig {
  return {
    maxDeletePercent,
    protect: protect.flatMap((text) => {
      const patterns = readPrefixPattern(text);
      if ("message" in patterns) throw new Error(patterns.message);
      return patterns;
    }),
  };
}

export function ip(text: string): NonNullable<ReturnType<typeof parseIp>> {
  const address = parseIp(text);
  if (address === null) throw new Error(`not an address: ${text}`);
  return address;
}

export async function fixture(
  config: Partial<KernelConfig> & {
    family?: Family;
    former?: readonly number[];
    observe?: boolean;
    safety?: SafetyConfig;
    forced?: boolean;
  } = {},
): Promise<Fixture> {
  const family = config.family ?? 4;
  const kernel = new ModelKernel();
  const v0 = kernel.addVeth("v0", "v1");
  const v1 = kernel.links.byName("v1")!.ifindex;
  kernel.setUp(v0);
  kernel.setUp(v1);
  kernel.addAddress(v0, ip("10.0.0.1"), 24);
  kernel.addAddress(v0, ip("2001:db8:0:1::1"), 64);
  const attrs = new AttrsTable();
  const clock = new FakeClock();
  const os = modelOs(kernel, attrs);
  const interfaces = new Interfaces({ requireAddress: false });
  const device = new DeviceProtocol({
    config: { scanTimeMs: 0, requireAddress: false, interfaces: [] },
    netns: null,
    interfaces,
    os,
    clock,
    log: silentLog,
  });
  const table = new Rtable("t", family, attrs, clock);
  const source = new Channel({
    name: "source",
    table,
    sourceType: "static",
    preference: 200,
    import: ACCEPT_ALL,
    export: REJECT_ALL,
    deviceName: (device) => interfaces.deviceName(device),
    clock,
  });
  const fatal: string[] = [];
  const logged: LogLine[] = [];
  const protocol = new KernelProtocol({
    config: {
      name: "k",
      table: "t",
      kernelTable: TABLE,
      kernelTableName: null,
      scanTimeMs: 0,
      metric: 32,
      learn: false,
      persist: false,
      import: ACCEPT_ALL,
      export: ACCEPT_ALL,
      mergePaths: 1,
      netns: null,
      ...config,
    },
    table,
    os,
    interfaces,
    refreshInterfaces: () => device.scan(),
    protocolId: OWN,
    formerProtocolIds: config.former ?? [],
    onInstalled: () => {},
    observe: config.observe ?? false,
    safety: config.safety ?? safety(),
    forced: config.forced ?? false,
    clock,
    log: recordingLog(logged),
    onFatal: (message) => fatal.push(message),
  });
  await source.up();
  return {
    family,
    kernel,
    os,
    protocol,
    device,
    table,
    attrs,
    interfaces,
    clock,
    fatal,
    logged,
    want(prefix, text, metric = 0) {
      const { w0, w1, w2, w3, length } = prefixOf(prefix);
      source.importRoute(w0, w1, w2, w3, length, attrs.intern(draftOf(text)), metric);
    },
    unwant(prefix) {
      const { w0, w1, w2, w3, length } = prefixOf(prefix);
      source.withdrawRoute(w0, w1, w2, w3, length);
    },
    foreign: (request) => kernel.route({ table: TABLE, ...request, prefix: prefixOf(request.prefix) }).errno,
    async start() {
      await os.monitor({
        link: (link) => device.linkChanged(link),
        linkGone: (ifindex) => device.linkGone(ifindex),
        address: (address) => device.addressChanged(address),
        nexthopGone: () => {},
        addressGone: (address) => device.addressGone(address),
        route(route, change, port) {
          if (route.family === family) protocol.routeEvent(route, change, port);
        },
        lost() {
          device.eventsLost();
          protocol.eventsLost();
          void device.resync().then(() => protocol.resync());
        },
      });
      await device.start();
      await protocol.start();
      protocol.sourcesFed();
      protocol.allFed();
      await protocol.firstSync;
      await settle();
    },
    async scan() {
      const complete = await protocol.scan();
      await settle();
      return complete;
    },
    writes() {
      const lines = os.journal.map(
        ({ op, prefix, metric, errno }) =>
          `${op} ${prefix} metric ${metric}${errno === 0 ? "" : ` !${errno}`}`,
      );
      os.journal.length = 0;
      return lines;
    },
    shown: () =>
      kernel
        .routes(family, TABLE)
        .filter(({ protocol: by }) => by !== 2)
        .map(routeText),
    status(prefix) {
      const { w0, w1, w2, w3, length } = prefixOf(prefix);
      return protocol.status(table.fib.find(w0, w1, w2, w3, length));
    },
  };
}

function recordingLog(lines: LogLine[]): Log {
  const record =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}) =>
      void lines.push({ level, message, fields });
  const log: Log = {
    ...silentLog,
    error: record("error"),
    warn: record("warn"),
    info: record("info"),
    child: () => log,
  };
  return log;
}

export function routeText(route: RouteView): string {
  const { prefix, metric, protocol, type, nexthops } = route;
  const hops = nexthops.map(({ gateway, device, weight }) => {
    const via = gateway === null ? "" : ` via ${[gateway.w0, gateway.w1, gateway.w2, gateway.w3].join(":")}`;
    return `${via} dev ${device} weight ${weight}`;
  });
  return `${prefix.w0}:${prefix.w1}/${prefix.length} metric ${metric} proto ${protocol} type ${type}${hops.join("")}`;
}
