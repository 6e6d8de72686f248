/** What the pairs work on: distinct prefixes, and the kernel's messages of routes to them. */

import { AttrsTable } from "../../src/nest/attrs.ts";
import { RouteEncoder } from "../../src/sysdep/linux/rtnetlink/route.ts";
import { ROUTE_ADD } from "../../src/sysdep/os.ts";
import { draftOf } from "../support/draft.ts";

export const COUNT = 20_000;
export const GATEWAYS = 50;
export const NLMSG_HDRLEN = 16;
export const OWN_PROTOCOL = 99;
export const METRIC = 32;
const MESSAGE_ROOM = 128;

/** Distinct /24, far apart. */
export const words: readonly number[] = Array.from(
  { length: COUNT },
  (_, i) => (Math.imul(i, 0x9e3779b1) << 8) | 0,
);

/** The attributes of a route through each gateway, with a reference. */
export function internGateways(table: AttrsTable): number[] {
  return Array.from({ length: GATEWAYS }, (_, n) =>
    table.intern(draftOf({ nexthops: [{ via: `10.0.0.${2 + n}`, device: 3 }] })),
  );
}

/** The messages of COUNT routes, as the encoder writes them. */
function encodeAll(bytes: Uint8Array, view: DataView): number {
  const table = new AttrsTable();
  const ids = internGateways(table);
  const encoder = new RouteEncoder(table);
  let at = 0;
  for (const [i, w0] of words.entries()) {
    at = encoder.encode(
      bytes,
      view,
      at,
      ROUTE_ADD,
      4,
      w0,
      0,
      0,
      0,
      24,
      254,
      OWN_PROTOCOL,
      METRIC,
      ids[i % GATEWAYS]!,
      i,
      0,
    );
  }
  return at;
}

export const bytes: Uint8Array<ArrayBuffer> = new Uint8Array(COUNT * MESSAGE_ROOM);
export const view: DataView = new DataView(bytes.buffer);
export const encodedLength: number = encodeAll(bytes, view);
