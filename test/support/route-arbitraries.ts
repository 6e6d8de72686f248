/** Random routes for property tests of the codec: any attributes krtd can express, of either family. */

import fc from "fast-check";
import { congestionId } from "../../src/lib/congestion-names.ts";
import type { Family } from "../../src/lib/ip.ts";
import { AttrsDraft, RTAX_LIMIT, RTNH_F_ONLINK } from "../../src/nest/attrs-draft.ts";

export interface RandomRoute {
  readonly family: Family;
  readonly words: readonly [number, number, number, number];
  readonly length: number;
  readonly table: number;
  readonly protocol: number;
  readonly metric: number;
  /** Finished. */
  readonly attrs: AttrsDraft;
}

/** RTAX_CC_ALGO is a name to the kernel: of any number a name is made here. */
const CC_ALGO = 16;

const word = fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff });
const u32 = fc.oneof(fc.constantFrom(0, 1, 32, 254, 255, 256, 1024, 0xffff_ffff), fc.nat(0xffff_ffff));
const four = fc.tuple(word, word, word, word);

function addressOf(family: Family): fc.Arbitrary<[number, number, number, number]> {
  return four.map(([w0, w1, w2, w3]) => (family === 4 ? [w0, 0, 0, 0] : [w0, w1, w2, w3]));
}

function nexthopOf(family: Family) {
  const gateway = fc.oneof(
    fc.constant({ family: 0 as const, words: [0, 0, 0, 0] as [number, number, number, number] }),
    addressOf(family).map((words) => ({ family, words })),
    addressOf(6).map((words) => ({ family: 6 as const, words })),
  );
  return fc.record({
    gateway,
    device: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 0x7fff_ffff })),
    weight: fc.integer({ min: 1, max: 256 }),
    onlink: fc.boolean(),
  });
}

function attrsOf(family: Family): fc.Arbitrary<AttrsDraft> {
  return fc
    .record({
      type: fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, fc.constantFrom(6, 7, 8, 9)),
      nexthops: fc.oneof(
        fc.array(nexthopOf(family), { minLength: 1, maxLength: 4 }),
        fc.array(nexthopOf(family), { minLength: 1, maxLength: 128 }),
      ),
      scope: fc.constantFrom(0, 200, 253, 254),
      prefsrc: fc.option(addressOf(family)),
      flow: fc.oneof(fc.constant(0), word),
      metrics: fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: RTAX_LIMIT - 1 }), word), {
        selector: ([rtax]) => rtax,
        maxLength: RTAX_LIMIT,
      }),
    })
    .map(({ type, nexthops, scope, prefsrc, flow, metrics }) => {
      const draft = new AttrsDraft();
      draft.reset(type);
      if (family === 4) draft.setScope(scope);
      for (const { gateway, device, weight, onlink } of type === 1 ? nexthops : []) {
        const [w0, w1, w2, w3] = gateway.words;
        // A route's only nexthop has no weight, and without gateway and device it is none.
        const isOnly = nexthops.length === 1;
        const someDevice = isOnly && gateway.family === 0 && device === 0 ? 1 : device;
        const flags = onlink ? RTNH_F_ONLINK : 0;
        draft.addNexthop(gateway.family, w0, w1, w2, w3, someDevice, isOnly ? 1 : weight, flags, 0);
      }
      if (prefsrc !== null) draft.setPrefsrc(...prefsrc);
      if (family === 4) draft.setFlow(flow);
      for (const [rtax, value] of metrics) {
        draft.setMetric(
          rtax,
          rtax === CC_ALGO ? congestionId("four".repeat((value & 3) + 1).slice(value & 1)) : value,
        );
      }
      draft.finish();
      return draft;
    });
}

/** Keeps the first `length` bits. */
function masked(words: readonly number[], length: number): [number, number, number, number] {
  const keep = (i: number): number => {
    const bits = Math.min(32, Math.max(0, length - 32 * i));
    return bits === 0 ? 0 : words[i]! & (-1 << (32 - bits));
  };
  return [keep(0), keep(1), keep(2), keep(3)];
}

/** A route of either family that decode(encode(route)) must give back. */
export function randomRoute(): fc.Arbitrary<RandomRoute> {
  return fc.constantFrom<Family>(4, 6).chain((family) =>
    fc
      .record({
        address: addressOf(family),
        length: fc.integer({ min: 0, max: family === 4 ? 32 : 128 }),
        table: u32,
        protocol: fc.integer({ min: 0, max: 255 }),
        metric: u32,
        attrs: attrsOf(family),
      })
      .map(({ address, length, ...rest }) => ({ family, length, words: masked(address, length), ...rest })),
  );
}

/** The least an encoder needs of the attribute table, over one draft: its id is 1. */
export function tableOfOne(attrs: AttrsDraft): { readonly words: Int32Array; offset(id: number): number } {
  // Something before it, so that an offset that is forgotten shows.
  const words = new Int32Array(7 + attrs.length).fill(0x5a5a);
  words.set(attrs.words.subarray(0, attrs.length), 7);
  return { words, offset: () => 7 };
}
