/**
 * Storms that overflow the receive buffer of a running krtd, and sockets that fail: it is in sync soon after, with the
 * truth, and its own routes are not touched once.
 */

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { silentLog } from "../../src/lib/log.ts";
import { AttrsTable } from "../../src/nest/attrs.ts";
import { LinuxOs } from "../../src/sysdep/linux/index.ts";
import { openSocket } from "../../src/sysdep/linux/netlink/socket.ts";
import { SocketTransport } from "../../src/sysdep/linux/netlink/socket-transport.ts";
import type { Os } from "../../src/sysdep/os.ts";
import { asNobody } from "../support/as-nobody.ts";
import { configText, FAMILIES, ownLines } from "../support/families.ts";
import { printFigure } from "../support/figures.ts";
import { startSynced } from "../support/krtd.ts";
import { createTopology, waitFor } from "../support/netns.ts";
import { RouteEvents } from "../support/route-events.ts";

/** rtm_protocol of bird, as a number: see Netns.batch(). */
const BIRD = 12;
const ROUTES = Number(process.env["KRTD_STORM_ROUTES"] ?? 20_000);
const SMALLEST = "64KiB";

describe.each(FAMILIES)("IPv$family: a storm of foreign routes", (it6) => {
  const { family, flag, gateway, net } = it6;
  const own = [1, 2, 3].map((n) => ({ prefix: net(n), via: gateway }));
  const many = (i: number): string =>
    family === 4
      ? `172.${16 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}/32`
      : `2001:db8:ffff:${(i >> 16).toString(16)}::${(i & 0xffff).toString(16)}/128`;
  const storm = (verb: "add" | "del"): string[] =>
    Array.from({ length: ROUTES }, (_, i) => `route ${verb} ${many(i)} via ${gateway} proto ${BIRD}`);

  it("is over for krtd soon after it is over", async () => {
    await using ns = await createTopology();
    const root = { netlink: { "rx-buffer": SMALLEST } };
    await using krtd = await startSynced(
      ns,
      configText({ [family]: own }, { kernel: { learn: true }, root }),
    );
    const before = await ownLines(ns, flag);
    const writes = await krtd.writes();
    const learned = async (): Promise<number> =>
      (await krtd.kernels()).find(({ name }) => name === `kernel${family}`)!.kernel.learned;
    for (const [verb, left] of [
      ["add", ROUTES],
      ["del", 0],
    ] as const) {
      const begin = performance.now();
      await ns.batch(storm(verb));
      const end = performance.now();
      await waitFor("in sync with the truth", async () => (await learned()) === left, 10_000);
      await krtd.synced();
      const { netlink } = await krtd.status();
      printFigure(
        `IPv${family}, ${verb} ${ROUTES} in ${(end - begin).toFixed(0)} ms: in sync ${(performance.now() - end).toFixed(0)} ms after, ${netlink.overruns} overruns, ${netlink.resyncs} resyncs, last ${netlink.resync["last-ms"]} ms (${netlink.resync["last-reason"]})`,
      );
    }
    expect([await ownLines(ns, flag), await krtd.writes()]).toEqual([before, writes]);
    expect((await krtd.get<readonly unknown[]>("/v1/drift")).length).toBe(0);
  });
});

it("a receive buffer that the system does not grant is told, with what helps", async () => {
  await using ns = await createTopology();
  const config = configText({}, { root: { netlink: { "rx-buffer": "64MiB" } } });
  const options = { wrapper: asNobody("-all"), open: true, args: ["--observe"] };
  await using krtd = await startSynced(ns, config, options);
  const told = krtd.records(
    "the receive buffer is smaller than rx-buffer asks: bursts of changes may overflow it",
  );
  const limit = Number(readFileSync("/proc/sys/net/core/rmem_max", "utf8"));
  expect(told).toEqual([
    expect.objectContaining({
      level: "info",
      "asked-bytes": 64 << 20,
      "granted-bytes": limit,
      hint: expect.stringContaining("net.core.rmem_max"),
    }),
  ]);
  await krtd.stop();
});

describe("a notification socket that fails", () => {
  /** Fails its next read with this errno. */
  let failWith = 0;

  /** An Os in the namespace, and how often its notification socket was opened. */
  async function openIn(netns: string): Promise<{ readonly os: Os; readonly opened: () => number }> {
    let opened = 0;
    const transport = new SocketTransport({
      rxBufferBytes: 65_536,
      netns,
      open(options) {
        const socket = openSocket(options);
        if (options.receiveBufferBytes !== 65_536) return socket;
        opened++;
        const read = socket.receiveNow.bind(socket);
        socket.receiveNow = (buffer) => {
          if (failWith === 0) return read(buffer);
          const errno = failWith;
          failWith = 0;
          return -errno;
        };
        return socket;
      },
    });
    const os = new LinuxOs(transport, { attrs: new AttrsTable(), log: silentLog, netns });
    await os.open();
    return { os, opened: () => opened };
  }

  it("is replaced by one in the same namespace, which hears everything again", async () => {
    await using ns = await createTopology();
    const { os, opened } = await openIn(ns.name);
    try {
      const sink = new RouteEvents();
      const lost: string[] = [];
      sink.lost = (reason) => void lost.push(reason);
      const monitor = (await os.monitor(sink))!;
      failWith = 5;
      await ns.ip("route add 198.18.1.0/24 via 10.0.0.2");
      await waitFor("the failure is told", () => lost.length > 0);
      monitor.pause();
      expect(lost).toEqual(["reading failed: Input/output error"]);
      expect([await monitor.drain(), opened()]).toEqual(["empty", 2]);
      expect(sink.lines()).toEqual([]);
      await ns.ip("route add 198.18.2.0/24 via 10.0.0.2");
      monitor.resume();
      await waitFor("it hears again", () => sink.lines().length > 0);
      expect(sink.lines()).toEqual([expect.stringContaining("198.18.2.0/24")]);
    } finally {
      await os.close();
    }
  });
});
