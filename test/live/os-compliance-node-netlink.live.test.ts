/**
 * The compliance suite on Linux over node-netlink. Its library opens sockets where the process is, so the outer
 * run makes a namespace and runs this file once more inside it; there the cases are, and clean up after each
 * other: all of them share that one namespace.
 */

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { silentLog } from "../../src/lib/log.ts";
import { openLinuxOs } from "../../src/sysdep/linux/index.ts";
import { createNetns } from "../support/netns.ts";
import { insideNetnsName, rerunInside } from "../support/rerun-inside.ts";
import { describeOs } from "../sysdep/os-compliance.ts";

const execute = promisify(execFile);

/** `ip FLAGS -batch -`; rejects with what it printed unless `-force` is among the flags. */
function batch(commands: readonly string[], ...flags: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = execFile("ip", [...flags, "-batch", "-"], (error, _stdout, stderr) => {
      if (error === null || flags.includes("-force")) resolve();
      else reject(new Error(`Cannot ip -batch: ${stderr.trim()}`, { cause: error }));
    });
    child.stdin?.end(`${commands.join("\n")}\n`);
  });
}

/** Back to a namespace with only `lo`. A veth end may be gone already with its peer. */
async function cleanUp(): Promise<void> {
  const shown: unknown = JSON.parse((await execute("ip", ["-j", "link", "show"])).stdout);
  const links = (shown as { readonly ifname: string }[]).filter((link) => link.ifname !== "lo");
  await batch(
    links.map((link) => `link del ${link.ifname}`),
    "-force",
  );
  const flushes = ["route flush table 254", "route flush table 1000"];
  for (const family of ["-4", "-6"]) await batch(flushes, family, "-force");
}

if (insideNetnsName() === null) {
  describe("Os compliance: Linux, node-netlink transport", () => {
    it("holds inside a network namespace", async () => {
      const ns = await createNetns();
      try {
        const { code, output } = await rerunInside(ns, import.meta.url);
        expect(output).toMatch(/Tests +\d+ passed/);
        expect(code, output).toBe(0);
      } finally {
        await ns.dispose();
      }
    });
  });
} else {
  describeOs("Linux, node-netlink transport", async (attrs) => {
    const os = openLinuxOs({ transport: "node-netlink", rxBufferBytes: 0, attrs, log: silentLog });
    await os.open();
    return {
      os,
      hasTexts: false,
      ip: (commands) => batch(commands),
      dispose: async () => {
        await os.close();
        await cleanUp();
      },
    };
  });
}
