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

async function ip(command: string): Promise<string> {
  return (await execute("ip", command.split(" "))).stdout;
}

/** Back to a namespace with only `lo`. */
async function cleanUp(): Promise<void> {
  const shown: unknown = JSON.parse(await ip("-j link show"));
  const names = (shown as { readonly ifname: string }[]).map((link) => link.ifname);
  for (const name of names) if (name !== "lo") await execute("ip", ["link", "del", name]).catch(() => null);
  for (const family of ["-4", "-6"]) {
    for (const table of ["254", "1000"]) {
      await execute("ip", [family, "route", "flush", "table", table]).catch(() => null);
    }
  }
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
      ip: async (command) => void (await ip(command)),
      dispose: async () => {
        await os.close();
        await cleanUp();
      },
    };
  });
}
