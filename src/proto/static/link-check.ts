/**
 * The question of `check-link`: does a nexthop lead over a link that is up? One that names its device, over that
 * device; one that does not, over the interface whose subnet or peer its gateway is in, as the kernel would find it.
 */

import type { Interface, Interfaces } from "../../nest/iface.ts";
import type { Hop } from "./hops.ts";

/** A device that does not exist is down; a gateway that is in no subnet counts as up: the kernel decides. */
export function linkIsUp(interfaces: Interfaces, hop: Hop): boolean {
  const { family, w0, w1, w2, w3, device } = hop;
  if (device > 0) return isUp(interfaces.byIndex(device));
  if (device < 0) return false;
  if (family === 0) return true;
  const covering = interfaces.covering(family, w0, w1, w2, w3);
  return covering === undefined || isUp(covering);
}

function isUp(iface: Interface | undefined): boolean {
  return iface?.adminUp === true && iface.linkUp;
}
