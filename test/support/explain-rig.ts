/**
 * The control API on a kernel protocol that works on the model kernel (test/proto/kernel/fixture.ts): what explain and
 * diff tell is then what the daemon did. Sources of routes are plain channels, with configured routes where a test
 * needs them. A second table, "blue", has no kernel protocol.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ControlBackend } from "../../src/control/backend.ts";
import type { DiffJson, ExplainJson } from "../../src/control/explain-json.ts";
import { startControl } from "../../src/control/server.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { silentLog } from "../../src/lib/log.ts";
import { Channel, type ChannelOptions } from "../../src/nest/channel.ts";
import { ACCEPT_ALL, REJECT_ALL } from "../../src/nest/filter.ts";
import { internOrigin } from "../../src/nest/origin.ts";
import type { Protocol, ProtocolEntry } from "../../src/nest/protocol.ts";
import { Rtable } from "../../src/nest/rtable.ts";
import { tryFlock } from "../../src/sysdep/linux/flock.ts";
import { type Fixture, fixture, prefixOf } from "../proto/kernel/fixture.ts";
import { Router } from "./control-fixture.ts";
import { type AttrsText, draftOf } from "./draft.ts";
import { ask } from "./http-unix.ts";

export interface ExplainRig extends Fixture, AsyncDisposable {
  readonly blue: Rtable;
  readonly entries: ProtocolEntry[];
  /** Path of the control socket. */
  readonly path: string;
  /** Adds a protocol that is up, with a channel to each table (default: the one with the kernel protocol). */
  source(
    name: string,
    options?: Partial<ChannelOptions> & {
      readonly tables?: readonly Rtable[];
      readonly more?: Partial<Protocol>;
    },
  ): Promise<void>;
  /** Announces a route through the first channel of a source(). */
  offer(source: string, prefix: string, attrs: AttrsText, metric?: number, preference?: number): void;
  explain(prefix: string, table?: string): Promise<ExplainJson>;
  diff(table?: string): Promise<DiffJson[]>;
}

/** The kernel protocol is not started: start() does that. */
export async function explainRig(config: Parameters<typeof fixture>[0] = {}): Promise<ExplainRig> {
  const fx = await fixture(config);
  const blue = new Rtable("blue", fx.family, fx.attrs, fx.clock);
  const entries: ProtocolEntry[] = [
    { protocol: fx.protocol, disabled: false, state: "up", since: fx.clock.wall() },
  ];
  const channels = new Map<string, Channel>();
  const router = new Router();
  const backend: ControlBackend = {
    status: () => router.status(),
    tables: () => [fx.table, blue],
    protocols: () => entries,
    interfaces: fx.interfaces,
    namespaces: () => [{ name: null, interfaces: fx.interfaces, problem: null }],
    interfacesOf: () => fx.interfaces,
    configure: (request) => router.configure(request),
    undo: () => router.undo(),
    confirm: () => router.confirm(),
    act: (action, name, force) => router.act(action, name, force),
    shutdown: (options) => router.shutdown(options),
  };
  const directory = mkdtempSync(join(tmpdir(), "krtd-explain-"));
  const path = join(directory, "krtd.sock");
  const server = await startControl({
    backend,
    clock: systemClock,
    log: silentLog,
    listen: { path, mode: 0o660, group: null, createParent: false, tryFlock },
  });
  const get = async <T>(address: string): Promise<T> => {
    const { status, text } = await ask(path, address);
    if (status !== 200) throw new Error(`${address}: ${status} ${text}`);
    return JSON.parse(text) as T;
  };
  return {
    ...fx,
    blue,
    entries,
    path,
    async source(name, { tables = [fx.table], more = {}, ...options } = {}) {
      const made = tables.map(
        (table) =>
          new Channel({
            name,
            table,
            sourceType: "static",
            preference: 200,
            import: ACCEPT_ALL,
            export: REJECT_ALL,
            deviceName: (device) => fx.interfaces.deviceName(device),
            clock: fx.clock,
            ...options,
          }),
      );
      for (const channel of made) await channel.up();
      if (made[0] !== undefined) channels.set(name, made[0]);
      const protocol: Protocol = {
        name,
        type: "static",
        channels: made,
        netns: null,
        start: async () => {},
        stop: async () => {},
        info: () => "",
        ...more,
      };
      entries.push({ protocol, disabled: false, state: "up", since: fx.clock.wall() });
    },
    offer(source, prefix, attrs, metric = 0, preference) {
      const { w0, w1, w2, w3, length } = prefixOf(prefix);
      const id = fx.attrs.intern(draftOf(attrs));
      const channel = channels.get(source)!;
      const connected = channel.table.source(channel.source).sourceType === "direct";
      const origin = internOrigin({ protocol: 0, recursive: false, connected, trail: [] });
      channel.importRoute(w0, w1, w2, w3, length, id, metric, origin, preference);
    },
    explain: (prefix, table) =>
      get(`/v1/explain?prefix=${encodeURIComponent(prefix)}${table === undefined ? "" : `&table=${table}`}`),
    diff: (table) => get(`/v1/diff${table === undefined ? "" : `?table=${table}`}`),
    async [Symbol.asyncDispose]() {
      await server.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** What a step of the answer says, behind whether it is well; "" when it is not there. */
export function step(answer: ExplainJson, name: string): string {
  const found = answer.steps.find((candidate) => candidate.step === name);
  return found === undefined ? "" : `${found.ok ? "ok" : "no"}: ${found.detail}`;
}
