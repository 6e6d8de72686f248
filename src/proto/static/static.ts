/**
 * The static protocol: announces configured routes. Many routes share few specs ("via 192.0.2.1 dev eth0"), so
 * a spec is turned into interned attributes once, and only the routes of a spec whose device came, went or got
 * another index are announced again.
 */

import type { Clock } from "../../lib/clock.ts";
import type { AttrsTable } from "../../nest/attrs.ts";
import { AttrsDraft, RTNH_F_ONLINK } from "../../nest/attrs-draft.ts";
import { Channel } from "../../nest/channel.ts";
import { REJECT_ALL } from "../../nest/filter.ts";
import type { InterfaceEvent, Interfaces } from "../../nest/iface.ts";
import type { Protocol, StaticFacet, StaticRouteView } from "../../nest/protocol.ts";
import { type AttrsId, ROUTE_TYPE_NUMBERS } from "../../nest/route.ts";
import type { Rtable } from "../../nest/rtable.ts";
import type { RouteSpec, StaticConfig } from "./config.ts";

/** linux/rtnetlink.h */
const RTAX_MTU = 2;
const SLICE = 1024;

export interface StaticOptions {
  readonly config: StaticConfig;
  readonly table: Rtable;
  readonly interfaces: Interfaces;
  readonly clock: Clock;
}

export class StaticProtocol implements Protocol, StaticFacet {
  readonly name: string;
  readonly type = "static" as const;
  readonly channels: readonly Channel[];
  readonly netns = null;
  private readonly channel: Channel;
  readonly static: StaticFacet = this;
  private readonly options: StaticOptions;
  private readonly attrs: AttrsTable;
  private readonly draft = new AttrsDraft();
  /** Attributes by spec, 1 reference each, as announced last. */
  private specAttrs: AttrsId[] = [];
  private unlisten: (() => void) | null = null;
  private announcing: Promise<void> = Promise.resolve();
  private stopped = true;

  constructor(options: StaticOptions) {
    const { config, table, clock } = options;
    this.options = options;
    this.name = config.name;
    this.attrs = table.attrs;
    this.channel = new Channel({
      name: config.name,
      table,
      sourceType: "static",
      preference: config.preference,
      import: config.import,
      export: REJECT_ALL,
      deviceName: (device) => options.interfaces.deviceName(device),
      clock,
    });
    this.channels = [this.channel];
  }

  get count(): number {
    return this.options.config.routes.count;
  }

  async start(): Promise<void> {
    this.stopped = false;
    await this.channel.up();
    const { routes } = this.options.config;
    this.specAttrs = routes.specs.map((spec) => this.internSpec(spec));
    this.unlisten = this.options.interfaces.listen((event) => this.interfaceEvent(event));
    await this.announce(null);
  }

  async stop(): Promise<void> {
    if (this.stopped) return;
    this.stopped = true;
    this.unlisten?.();
    await this.announcing;
    await this.channel.down();
    for (const id of this.specAttrs) this.attrs.release(id);
    this.specAttrs = [];
  }

  info(): string {
    return "";
  }

  route(i: number): StaticRouteView {
    const { routes, preference } = this.options.config;
    const spec = routes.spec[i]!;
    const at = 4 * i;
    return {
      prefix: {
        family: routes.family,
        w0: routes.key[at]!,
        w1: routes.key[at + 1]!,
        w2: routes.key[at + 2]!,
        w3: routes.key[at + 3]!,
        length: routes.length[i]!,
      },
      attrs: this.attrs.describe(this.specAttrs[spec]!),
      metric: routes.specs[spec]!.metric,
      recursive: routes.specs[spec]!.recursive,
      preference,
    };
  }

  /** Announces the routes of the given specs (null: all), in slices. */
  private async announce(specs: ReadonlySet<number> | null): Promise<void> {
    const { routes } = this.options.config;
    const { clock } = this.options;
    for (let i = 0; i < routes.count; i++) {
      if (i % SLICE === SLICE - 1) {
        await clock.yield();
        if (this.stopped) return;
      }
      const spec = routes.spec[i]!;
      if (specs !== null && !specs.has(spec)) continue;
      const attrs = this.specAttrs[spec]!;
      const at = 4 * i;
      this.attrs.retain(attrs);
      this.channel.importRoute(
        routes.key[at]!,
        routes.key[at + 1]!,
        routes.key[at + 2]!,
        routes.key[at + 3]!,
        routes.length[i]!,
        attrs,
        routes.specs[spec]!.metric ?? 0,
      );
    }
  }

  private interfaceEvent(event: InterfaceEvent): void {
    if (event.kind !== "created" && event.kind !== "gone" && event.kind !== "renamed") return;
    const names = new Set([event.iface.name]);
    if (event.kind === "renamed") names.add(event.from);
    const changed = new Set<number>();
    const { specs } = this.options.config.routes;
    specs.forEach((spec, index) => {
      if (!spec.nexthops.some(({ dev }) => dev !== null && names.has(dev))) return;
      const now = this.internSpec(spec);
      const before = this.specAttrs[index]!;
      this.specAttrs[index] = now;
      this.attrs.release(before);
      if (now !== before) changed.add(index);
    });
    if (changed.size > 0) this.announcing = this.announcing.then(() => this.announce(changed));
  }

  private internSpec(spec: RouteSpec): AttrsId {
    const { draft } = this;
    draft.reset(ROUTE_TYPE_NUMBERS[spec.type]);
    const alone = spec.nexthops.length === 1;
    for (const { via, dev, weight, onlink } of spec.nexthops) {
      const device = dev === null ? 0 : this.options.interfaces.resolveDevice(dev);
      const flags = onlink ? RTNH_F_ONLINK : 0;
      draft.addNexthop(
        via?.family ?? 0,
        via?.w0 ?? 0,
        via?.w1 ?? 0,
        via?.w2 ?? 0,
        via?.w3 ?? 0,
        device,
        // The kernel knows no weight of an only nexthop.
        alone ? 1 : weight,
        flags,
        0,
      );
    }
    if (spec.prefsrc !== null) {
      const { w0, w1, w2, w3 } = spec.prefsrc;
      draft.setPrefsrc(w0, w1, w2, w3);
    }
    if (spec.mtu !== null) draft.setMetric(RTAX_MTU, spec.mtu);
    draft.finish();
    return this.attrs.intern(draft);
  }
}
