/**
 * Two links for tests of what becomes of routes when links and addresses come and go: v0 and w0, each with a peer (v1,
 * w1) in the same namespace and addresses of both families. IPv6 addresses stay while a link is down, as IPv4 ones do,
 * and serve at once: without that, nothing could be said of the moment when all has settled.
 */

import type { Family } from "../../src/lib/ip.ts";
import { createNetns, createVethPair, type Netns } from "./netns.ts";

export interface LinkCase {
  readonly name: "v0" | "w0";
  readonly peer: "v1" | "w1";
  readonly address: Readonly<Record<Family, string>>;
  /** On-link there; nobody answers. */
  readonly gateway: Readonly<Record<Family, string>>;
}

export const V: LinkCase = {
  name: "v0",
  peer: "v1",
  address: { 4: "10.0.0.1/24", 6: "2001:db8:0:1::1/64" },
  gateway: { 4: "10.0.0.2", 6: "2001:db8:0:1::2" },
};

export const W: LinkCase = {
  name: "w0",
  peer: "w1",
  address: { 4: "10.0.1.1/24", 6: "2001:db8:0:2::1/64" },
  gateway: { 4: "10.0.1.2", 6: "2001:db8:0:2::2" },
};

/** The command that gives a link, or any device in its place, its address. */
export function addAddress(link: LinkCase, family: Family, device: string = link.name): string {
  return `addr add ${link.address[family]} dev ${device}`;
}

export async function createTwoLinks(): Promise<Netns> {
  const ns = await createNetns();
  try {
    const settings = ["all", "default"].flatMap((which) =>
      ["keep_addr_on_down=1", "accept_dad=0"].map((setting) => `net.ipv6.conf.${which}.${setting}`),
    );
    await ns.run("sysctl", ["-qw", ...settings]);
    for (const link of [V, W]) {
      await createVethPair(ns, link.name, link.peer);
      for (const family of [4, 6] as const) await ns.ip(addAddress(link, family));
    }
    return ns;
  } catch (error) {
    await ns.dispose();
    throw error;
  }
}
