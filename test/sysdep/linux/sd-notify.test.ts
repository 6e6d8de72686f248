import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type LogFields, silentLog } from "../../../src/lib/log.ts";
import { bind, close, recvfrom, socket } from "../../../src/sysdep/linux/netlink/libc.ts";
import {
  notifyAddress,
  openServiceNotifier,
  type ServiceNotifier,
  watchdogInterval,
} from "../../../src/sysdep/linux/sd-notify.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;
const EAGAIN = 11;

let folder: string;
let receiver: number;
let notifier: ServiceNotifier | null;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "krtd-notify-"));
  receiver = socket(AF_UNIX, SOCK_DGRAM, 0);
  expect(receiver).toBeGreaterThanOrEqual(0);
  notifier = null;
});
afterEach(() => {
  notifier?.close();
  close(receiver);
  rmSync(folder, { recursive: true });
});

/** Binds a real datagram socket to `name` and opens the notifier on it. */
function connect(name: string, env: Record<string, string> = {}): ServiceNotifier {
  expect(bind(receiver, notifyAddress(name))).toBe(0);
  notifier = openServiceNotifier({ env: { NOTIFY_SOCKET: name, ...env }, log: silentLog });
  return notifier;
}

/** The datagrams that have arrived. */
function received(): string[] {
  const datagrams: string[] = [];
  const bytes = new Uint8Array(4096);
  const sender = new Uint8Array(128);
  for (;;) {
    const length = recvfrom(receiver, bytes, MSG_DONTWAIT, sender);
    if (length === -EAGAIN) return datagrams;
    expect(length).toBeGreaterThan(0);
    datagrams.push(Buffer.from(bytes.subarray(0, length)).toString());
  }
}

describe("openServiceNotifier() sends to a real datagram socket", () => {
  it.each([
    ["a path", () => join(folder, "notify")],
    ["an abstract name", () => `@krtd-test/${process.pid}/${folder}`],
  ])("named by %s", (_kind, name) => {
    const service = connect(name());
    service.ready("3 routes in sync");
    service.status("rescanning");
    service.stopping("flushing");
    expect(received()).toEqual([
      "READY=1\nSTATUS=3 routes in sync",
      "STATUS=rescanning",
      "STOPPING=1\nSTATUS=flushing",
    ]);
  });

  it("says when a reload began on the monotonic clock", () => {
    const service = connect(join(folder, "notify"));
    const before = process.hrtime.bigint() / 1000n;
    service.reloading();
    const usec = /^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(received()[0] ?? "")?.[1];
    expect(BigInt(usec ?? 0)).toBeGreaterThanOrEqual(before);
    expect(BigInt(usec ?? 0)).toBeLessThanOrEqual(process.hrtime.bigint() / 1000n);
  });

  it("asks for more time in microseconds", () => {
    connect(join(folder, "notify")).extendTimeout(1500);
    expect(received()).toEqual(["EXTEND_TIMEOUT_USEC=1500000"]);
  });

  it("keeps a status on one line: it cannot smuggle in other assignments", () => {
    connect(join(folder, "notify")).status("bad\nSTOPPING=1");
    expect(received()).toEqual(["STATUS=bad STOPPING=1"]);
  });

  it("sends nothing after close()", () => {
    const service = connect(join(folder, "notify"));
    service.close();
    service.close();
    service.ready("late");
    expect(received()).toEqual([]);
  });

  it("does not wait for a manager that does not read", () => {
    const service = connect(join(folder, "notify"));
    for (let i = 0; i < 2000; i++) service.status(`${i}`);
    expect(received().length).toBeGreaterThan(0);
  });
});

describe("openServiceNotifier() stays quiet", () => {
  function warnings(env: Record<string, string>): (LogFields | undefined)[] {
    const seen: (LogFields | undefined)[] = [];
    notifier = openServiceNotifier({
      env,
      log: { ...silentLog, warn: (_message, fields) => seen.push(fields) },
    });
    notifier.ready("");
    notifier.status("");
    notifier.feedWatchdog(new FakeClock())();
    return seen;
  }

  it("without NOTIFY_SOCKET", () => {
    expect(warnings({})).toEqual([]);
    expect(warnings({ NOTIFY_SOCKET: "" })).toEqual([]);
  });

  it.each([
    ["a socket that is gone", "/nonexistent/notify"],
    ["a kind of address it does not know", "vsock:2:1234"],
    ["a path too long for the kernel", `/${"x".repeat(108)}`],
  ])("but for one warning about %s", (_what, name) => {
    expect(warnings({ NOTIFY_SOCKET: name })).toHaveLength(1);
  });
});

describe("feedWatchdog()", () => {
  it("feeds at once and then at half the interval, until stopped", async () => {
    const service = connect(join(folder, "notify"), { WATCHDOG_USEC: "20000000" });
    const clock = new FakeClock();
    const stop = service.feedWatchdog(clock);
    expect(received()).toEqual(["WATCHDOG=1"]);
    await clock.advance(9_999);
    expect(received()).toEqual([]);
    await clock.advance(1);
    expect(received()).toEqual(["WATCHDOG=1"]);
    await clock.advance(20_000);
    expect(received()).toEqual(["WATCHDOG=1", "WATCHDOG=1"]);
    stop();
    await clock.advance(60_000);
    expect(received()).toEqual([]);
  });

  it("does nothing when systemd set no watchdog", async () => {
    const clock = new FakeClock();
    connect(join(folder, "notify")).feedWatchdog(clock);
    await clock.advance(60_000);
    expect(received()).toEqual([]);
  });
});

describe("watchdogInterval()", () => {
  it.each<readonly [why: string, env: Record<string, string>, ms: number | null]>([
    ["is given in microseconds", { WATCHDOG_USEC: "30000000" }, 30_000],
    ["is for this process", { WATCHDOG_USEC: "1000", WATCHDOG_PID: String(process.pid) }, 1],
    ["is for another process", { WATCHDOG_USEC: "1000", WATCHDOG_PID: "1" }, null],
    ["is not set", {}, null],
    ["is zero", { WATCHDOG_USEC: "0" }, null],
    ["is no number", { WATCHDOG_USEC: "10s" }, null],
  ])("%s", (_why, env, ms) => {
    expect(watchdogInterval(env)).toBe(ms);
  });
});

describe("notifyAddress()", () => {
  it("ends a path with NUL and starts an abstract name with one", () => {
    expect([...notifyAddress("/a").subarray(2)]).toEqual([0x2f, 0x61, 0]);
    expect([...notifyAddress("@a").subarray(2)]).toEqual([0, 0x61]);
  });

  it("accepts names up to what sockaddr_un holds", () => {
    expect(notifyAddress(`/${"x".repeat(106)}`)).toHaveLength(110);
    expect(notifyAddress(`@${"x".repeat(107)}`)).toHaveLength(110);
    expect(() => notifyAddress(`/${"x".repeat(107)}`)).toThrow("longer than 108 bytes");
    expect(() => notifyAddress(`@${"x".repeat(108)}`)).toThrow("longer than 108 bytes");
  });
});
