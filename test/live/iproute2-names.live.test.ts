import { join } from "node:path";
import { expect, it } from "vitest";
import { root } from "../house/source-files.ts";
import { withNetns } from "../support/netns.ts";

it("config/iproute2/krtd.conf gives iproute2 the name of protocol 120", async () => {
  const conf = join(root, "config", "iproute2", "krtd.conf");
  // A mount namespace of its own, whose /etc holds nothing but the file: the machine's is not touched.
  const script = `
    mount -t tmpfs tmpfs /etc
    mkdir -p /etc/iproute2/rt_protos.d
    cp "$1" /etc/iproute2/rt_protos.d/
    ip route add 192.0.2.0/24 dev lo proto krtd
    ip route show proto krtd
    ip -N route show proto 120`;
  await withNetns(async (ns) => {
    const shown = await ns.run("unshare", ["--mount", "sh", "-euc", script, "sh", conf]);
    expect(shown.split("\n").map((line) => line.trim())).toEqual([
      "192.0.2.0/24 dev lo scope link",
      "192.0.2.0/24 dev lo scope 253",
      "",
    ]);
    expect(await ns.ip("-d -N route show")).toContain("proto 120");
  });
});
