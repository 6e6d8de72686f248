/**
 * Makes an Os for each network namespace that is served, and watches the names of namespaces: all that differs
 * between them is the name.
 */

import { type Clock, systemClock } from "../../lib/clock.ts";
import type { OsProvider } from "../os.ts";
import { type LinuxOsOptions, openLinuxOs } from "./index.ts";
import { netnsIdentity } from "./netlink/netns.ts";
import { NetnsWatcher } from "./netns-watch.ts";

/** What all namespaces have in common. */
export type LinuxOsProviderOptions = Omit<LinuxOsOptions, "netns">;

/** A netns is a name as of `ip netns` (/run/netns/NAME), or the path of a namespace's file. Opens nothing yet. */
export function linuxOsProvider(options: LinuxOsProviderOptions): OsProvider {
  const clock: Clock = options.clock ?? systemClock;
  return {
    create: (netns) => openLinuxOs({ ...options, netns }),
    watch: (netns, changed) => new NetnsWatcher(netns, changed, clock),
    ownIdentity: () => netnsIdentity("/proc/self/ns/net"),
  };
}
