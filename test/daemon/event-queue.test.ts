/** What is put aside comes out as it was, in order, and never more of it than there is room for. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventQueue } from "../../src/daemon/event-queue.ts";
import { AttrsDraft } from "../../src/nest/attrs-draft.ts";
import type { KernelRoute, LinkInfo, MonitorSink, RouteChange } from "../../src/sysdep/os.ts";
import { draftOf } from "../support/draft.ts";
import { routeText } from "../support/route-text.ts";

const draft = new AttrsDraft();

/** One reused route, as a monitor hands it out. */
function route(n: number, nexthops = 1): KernelRoute {
  const hops = Array.from({ length: nexthops }, (_, i) => ({ via: `10.0.${i >> 8}.${i & 255}`, device: 2 }));
  const attrs = draftOf({ nexthops: hops, metrics: { 2: 1400 }, scope: 0, opaque: n }, draft);
  const [w1, w2, w3] = [n, -n, 7];
  const common = { length: 24, table: 4294967295, protocol: 12, type: 1, scope: 0, tos: 8 };
  return {
    family: 6,
    w0: -1062731776 + n,
    w1,
    w2,
    w3,
    ...common,
    metric: 4294967295,
    rtmFlags: 0x4000_0200,
    attrs,
  };
}

const textOf = (shown: KernelRoute, change: RouteChange, port: number): string =>
  `${routeText(shown)} opaque ${shown.attrs.opaqueBesidesObject} length ${shown.attrs.length} flags ${shown.rtmFlags} scope ${shown.scope} ${change} ${port}`;

function listener(): { readonly heard: string[]; readonly sink: Omit<MonitorSink, "lost"> } {
  const heard: string[] = [];
  return {
    heard,
    sink: {
      link: (link) => void heard.push(`link ${link.name}`),
      linkGone: (ifindex) => void heard.push(`link gone ${ifindex}`),
      address: ({ ifindex }) => void heard.push(`address ${ifindex}`),
      nexthopGone: () => void heard.push("nexthop gone"),
      addressGone: ({ ifindex }) => void heard.push(`address gone ${ifindex}`),
      route: (shown, change, port) => void heard.push(textOf(shown, change, port)),
    },
  };
}

describe("EventQueue", () => {
  it("tells routes, links and addresses as they were, in order", () => {
    const queue = new EventQueue();
    const { heard, sink } = listener();
    const expected: string[] = [];
    const put = (n: number, hops: number, change: RouteChange): void => {
      expected.push(textOf(route(n, hops), change, 4_000_000_000 + n));
      expect(queue.route(route(n, hops), change, 4_000_000_000 + n)).toBe(true);
    };
    put(1, 1, "new");
    const link = { ifindex: 3, name: "eth0" } as Parameters<MonitorSink["link"]>[0];
    const address = { ifindex: 4 } as Parameters<MonitorSink["address"]>[0];
    queue.other({ kind: "link", link });
    put(2, 300, "replaced");
    queue.other({ kind: "address", address });
    queue.other({ kind: "address gone", address });
    queue.other({ kind: "link gone", ifindex: 3 });
    queue.other({ kind: "nexthop gone" });
    put(3, 0, "gone");
    expected.splice(1, 0, "link eth0");
    expected.splice(3, 0, "address 4", "address gone 4", "link gone 3", "nexthop gone");
    queue.replay(sink, 2);
    expect([heard.length, queue.isEmpty]).toEqual([2, false]);
    queue.replay(sink, 100);
    expect(heard).toEqual(expected);
    expect(queue.isEmpty).toBe(true);
  });

  it("refuses what does not fit, and has room again once something was told or cleared", () => {
    const queue = new EventQueue(1 << 13);
    const { heard, sink } = listener();
    let kept = 0;
    while (queue.route(route(kept), "new", 0)) kept++;
    expect(kept).toBeGreaterThan(100);
    expect(queue.other({ kind: "link gone", ifindex: 1 })).toBe(kept * 37 + 64 <= 1 << 13);
    queue.replay(sink, kept - 10);
    expect(queue.route(route(kept), "new", 0)).toBe(true);
    queue.replay(sink, 1000);
    expect(heard.filter((text) => !text.startsWith("link"))).toHaveLength(kept + 1);
    while (queue.route(route(1), "new", 0));
    queue.clear();
    expect([queue.isEmpty, queue.route(route(1), "new", 0)]).toEqual([true, true]);
  });

  it("has room for no more links than for routes of that size", () => {
    const queue = new EventQueue(1 << 13);
    let kept = 0;
    while (queue.other({ kind: "link gone", ifindex: kept })) kept++;
    expect(kept).toBe(128);
  });

  it("keeps nothing of what was told, though it is never empty", () => {
    const queue = new EventQueue();
    const { heard, sink } = listener();
    const MIB = 1 << 20;
    const before = process.memoryUsage().arrayBuffers;
    queue.other({ kind: "link gone", ifindex: 1 });
    let held = 0;
    for (let i = 0; i < 500; i++) {
      const link = { name: `v${i}`, ballast: new Uint8Array(MIB) } as unknown as LinkInfo;
      expect(queue.other({ kind: "link", link })).toBe(true);
      queue.replay(sink, 1);
      held = Math.max(held, process.memoryUsage().arrayBuffers - before);
    }
    expect([heard.length, heard.at(-1), queue.isEmpty]).toEqual([500, "link v498", false]);
    expect(held).toBeLessThan(300 * MIB);
  });

  it("is a queue, whatever is put in and taken out in which order", () => {
    const step = fc.oneof(
      fc.record({ put: fc.nat(5), hops: fc.nat(40) }),
      fc.record({ take: fc.nat(8) }),
      fc.constant("clear" as const),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const queue = new EventQueue(1 << 13);
        const { heard, sink } = listener();
        let model: string[] = [];
        const told: string[] = [];
        for (const [n, one] of steps.entries()) {
          if (one === "clear") {
            queue.clear();
            model = [];
          } else if ("take" in one) {
            queue.replay(sink, one.take);
            told.push(...model.splice(0, one.take));
          } else {
            for (let i = 0; i < one.put; i++) {
              const text = textOf(route(n, one.hops), "new", i);
              if (queue.route(route(n, one.hops), "new", i)) model.push(text);
            }
          }
          expect(queue.isEmpty).toBe(model.length === 0);
        }
        queue.replay(sink, 1e6);
        expect(heard).toEqual([...told, ...model]);
      }),
    );
  });
});
