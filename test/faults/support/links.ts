/** The topology of netns.ts, with IPv6 addresses that serve at once and stay while a link is down. */

import { FAMILIES } from "../../support/families.ts";
import { createNetns, createVethPair, type Netns } from "../../support/netns.ts";

/** v0 with an address of each family, and its peer v1. */
export async function createLinks(name?: string): Promise<Netns> {
  const ns = await createNetns(name);
  try {
    const settings = ["all", "default"].flatMap((which) =>
      ["keep_addr_on_down=1", "accept_dad=0"].map((setting) => `net.ipv6.conf.${which}.${setting}`),
    );
    await ns.run("sysctl", ["-qw", ...settings]);
    await createVethPair(ns, "v0", "v1");
    for (const { address, family } of FAMILIES) {
      await ns.ip(`addr add ${address}/${family === 4 ? 24 : 64} dev v0`);
    }
    return ns;
  } catch (error) {
    await ns.dispose();
    throw error;
  }
}
