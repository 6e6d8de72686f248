/** What the interface table tells its listeners. */

import type { Family } from "../lib/ip.ts";
import type { AddressInfo, Interface } from "./iface.ts";

export type InterfaceEvent =
  | { readonly kind: "created" | "up" | "down" | "gone"; readonly iface: Interface }
  /** `family`: nothing but its addresses of this family changed. */
  | { readonly kind: "changed"; readonly iface: Interface; readonly family: Family | null }
  | { readonly kind: "renamed"; readonly iface: Interface; readonly from: string }
  | {
      readonly kind: "address-added" | "address-removed";
      readonly iface: Interface;
      readonly address: AddressInfo;
    };

/**
 * Whether the kernel may have changed routes of this family by what happened. Over a new interface there are none. With
 * an address of the other family it takes none along, though a route may wait for one (IPv4 through an IPv6 gateway).
 */
export function concernsFamily(event: InterfaceEvent, family: Family): boolean {
  switch (event.kind) {
    case "created":
      return false;
    case "address-added":
    case "address-removed":
      return event.address.family === family;
    case "changed":
      return event.family === null || event.family === family;
    default:
      return true;
  }
}
