/**
 * Dumps of the real kernel while others change what is dumped: IPv6 leaves stable routes out and says nothing, links and
 * addresses say so (NLM_F_DUMP_INTR). In neither case may anything that stands there be taken for gone.
 */

import { describe, expect, it } from "vitest";
import { silentLog } from "../../src/lib/log.ts";
import { AttrsTable } from "../../src/nest/attrs.ts";
import { LinuxOs } from "../../src/sysdep/linux/index.ts";
import { buildRequest, MessageCursor } from "../../src/sysdep/linux/netlink/message.ts";
import { createReceiveBuffer, openSocket } from "../../src/sysdep/linux/netlink/socket.ts";
import { SocketTransport } from "../../src/sysdep/linux/netlink/socket-transport.ts";
import type { DumpReply } from "../../src/sysdep/linux/netlink/transport.ts";
import { encodeRouteDumpFilter } from "../../src/sysdep/linux/rtnetlink/route.ts";
import { configOf, FAMILIES } from "../support/families.ts";
import { printFigure } from "../support/figures.ts";
import { startSynced } from "../support/krtd.ts";
import { createNetns, createTopology, type Netns, waitFor } from "../support/netns.ts";
import { manyRoutes } from "../support/route-files.ts";

const IPV6 = FAMILIES[1]!;
const NLM_F_DUMP = 0x300;
const NLM_F_DUMP_INTR = 0x10;
const NLM_F_STRICT = 12;
const NLMSG_DONE = 3;
const RTM_GETROUTE = 26;
const BIRD = 12;

/** Prefixes that a dump shows before all others of the test. */
const early = (i: number): string => `2001:db8:2:${i.toString(16)}::/64`;

/** Dumps table main of IPv6; `meanwhile` runs after the first frame. Returns prefixes as bytes in hex. */
async function dump(
  ns: Netns,
  meanwhile: () => Promise<void>,
): Promise<{ readonly shown: ReadonlySet<string>; readonly interrupted: boolean; readonly errno: number }> {
  const socket = ns.inside(() =>
    openSocket({
      receiveBufferBytes: 1 << 20,
      sendBufferBytes: null,
      receiveTimeoutMs: 5000,
      options: [{ option: NLM_F_STRICT, required: true }],
    }),
  );
  try {
    const request = buildRequest(RTM_GETROUTE, NLM_F_DUMP, 1, encodeRouteDumpFilter(6, 254));
    const buffer = createReceiveBuffer();
    const shown = new Set<string>();
    let interrupted = false;
    await socket.send(request, request.length);
    for (let frame = 0; ; frame++) {
      const length = await socket.receive(buffer);
      if (length < 0) throw new Error(`Reading failed: ${-length}`);
      const cursor = new MessageCursor();
      cursor.reset(buffer.view, length);
      while (cursor.next()) {
        if ((cursor.flags & NLM_F_DUMP_INTR) !== 0) interrupted = true;
        if (cursor.type === NLMSG_DONE) {
          return { shown, interrupted, errno: buffer.view.getInt32(cursor.start, true) };
        }
        // struct rtmsg, RTA_TABLE, then, for all but the default route, RTA_DST.
        const bits = buffer.bytes[cursor.start + 1]!;
        const address = Buffer.from(buffer.bytes.subarray(cursor.start + 24, cursor.start + 40)).toString(
          "hex",
        );
        shown.add(`${address}/${bits}`);
      }
      if (frame === 0) await meanwhile();
    }
  } finally {
    await socket.close();
  }
}

describe("an IPv6 dump during which routes before its cursor are deleted, and some added", () => {
  const STABLE = 3000;
  const EARLY = 300;
  const add = (prefix: string): string => `route add ${prefix} via ${IPV6.gateway} proto ${BIRD}`;
  const del = (prefix: string): string => `route del ${prefix} via ${IPV6.gateway} proto ${BIRD}`;
  const earlies = Array.from({ length: EARLY }, (_, i) => early(i));

  it("leaves stable routes out, without an error and without NLM_F_DUMP_INTR", async () => {
    await using ns = await createTopology();
    await ns.batch([...earlies, ...Array.from({ length: STABLE }, (_, i) => IPV6.host(i))].map(add));
    const whole = await dump(ns, async () => {});
    expect(whole.shown.size).toBeGreaterThan(STABLE + EARLY);
    // An addition makes the kernel count its way from the beginning: by routes that are not there any more.
    const later = "2001:dba::/64";
    const holed = await dump(ns, () => ns.batch([...earlies.slice(0, 150).map(del), add(later)]));
    expect([holed.errno, holed.interrupted]).toEqual([0, false]);
    const after = await dump(ns, async () => {});
    const missing = [...after.shown].filter((route) => whole.shown.has(route) && !holed.shown.has(route));
    printFigure(`IPv6 dump: ${missing.length} of ${after.shown.size} stable routes left out`);
    expect(missing.length).toBeGreaterThan(0);
  });

  it("is not believed: own routes and learned ones stay", async () => {
    await using ns = await createTopology();
    // What is learned comes last in a dump.
    const learned = Array.from({ length: 1000 }, (_, i) => `2001:db9::${(i + 1).toString(16)}/128`);
    await ns.batch([...earlies, ...learned].map(add));
    const config = configOf(IPV6, [], { files: { 6: "6.routes" }, kernel: { learn: true } });
    await using krtd = await startSynced(ns, config, { files: { "6.routes": manyRoutes(IPV6, STABLE) } });
    const own = await ns.ip("-6 route show table main proto 120");
    const known = async (): Promise<number> => {
      const nets = new Set((await krtd.routes()).map(({ dst }) => dst));
      return learned.filter((prefix) => nets.has(prefix)).length;
    };
    const before = await krtd.writes();
    let lowest = learned.length;
    let done = false;
    const churn = (async () => {
      for (let round = 0; !done; round++) {
        await ns.batch(earlies.map(round % 2 === 0 ? del : add));
      }
    })();
    for (let i = 0; i < 40; i++) {
      await krtd.act("scan", "kernel6");
      if (i % 4 === 0) lowest = Math.min(lowest, await known());
    }
    done = true;
    await churn;
    await krtd.synced();
    const { scan, writes } = (await krtd.kernels()).find(({ name }) => name === "kernel6")!.kernel;
    const said = Object.values(writes.errors).reduce((sum, count) => sum + count, 0);
    printFigure(
      `IPv6: ${scan.count} scans in churn, ${(await krtd.writes()) - before} writes, ${said} of them refused`,
    );
    expect([lowest, await known()]).toEqual([learned.length, learned.length]);
    expect(await ns.ip("-6 route show table main proto 120")).toBe(own);
    expect((await krtd.get<readonly unknown[]>("/v1/drift")).length).toBe(0);
  });
});

class CountingTransport extends SocketTransport {
  interrupted = 0;

  override async dump(...args: Parameters<SocketTransport["dump"]>): Promise<DumpReply> {
    const reply = await super.dump(...args);
    if (reply.interrupted) this.interrupted++;
    return reply;
  }
}

describe("a dump of links and addresses during which some change", () => {
  const LINKS = 150;
  const ADDRESSES = 3000;
  const changes = [
    "addr add 192.0.2.1/32 dev i0",
    "link add x type ifb",
    "addr del 192.0.2.1/32 dev i0",
    "link del x",
  ];

  it("is tried again, and what is complete is whole", async () => {
    await using ns = await createNetns();
    const attrs = new AttrsTable();
    await ns.batch([
      ...Array.from({ length: LINKS }, (_, i) => `link add i${i} type ifb`),
      ...Array.from(
        { length: ADDRESSES },
        (_, i) => `addr add 10.${i >> 8}.${i & 255}.1/32 dev i${i % LINKS}`,
      ),
    ]);
    const transport = new CountingTransport({ rxBufferBytes: 1 << 20 });
    const os = new LinuxOs(transport, { attrs, log: silentLog, netns: ns.name });
    await os.open();
    try {
      let done = false;
      let rounds = 0;
      const churn = (async () => {
        for (; !done; rounds++) await ns.batch(Array(20).fill(changes).flat());
      })();
      await waitFor("the churn is under way", () => rounds > 2);
      let incomplete = 0;
      const reasons = new Set<string>();
      for (let i = 0; i < 60; i++) {
        const links = new Set<string>();
        const addresses = new Set<number>();
        const outcome = await os.scanInterfaces({
          link: ({ name }) => void links.add(name),
          address: ({ family, w0 }) => void (family === 4 && addresses.add(w0)),
        });
        if (outcome.complete) {
          expect(Array.from({ length: LINKS }, (_, n) => `i${n}`).filter((name) => !links.has(name))).toEqual(
            [],
          );
          const stable = Array.from({ length: ADDRESSES }, (_, n) => (10 << 24) | (n << 8) | 1);
          expect(stable.filter((w0) => !addresses.has(w0))).toEqual([]);
        } else {
          incomplete++;
          reasons.add(outcome.reason ?? "");
        }
      }
      done = true;
      await churn;
      printFigure(
        `interfaces: 60 scans in churn, ${transport.interrupted} dumps interrupted, ${incomplete} scans incomplete`,
      );
      expect(transport.interrupted).toBeGreaterThan(0);
      expect(
        [...reasons].filter((reason) => reason !== "the kernel's data changed while it was read"),
      ).toEqual([]);
    } finally {
      await os.close();
    }
  });
});
