/** The compliance suite on Linux over the socket transport, each case in a network namespace of its own. */

import { silentLog } from "../../src/lib/log.ts";
import { openLinuxOs } from "../../src/sysdep/linux/index.ts";
import { createNetns } from "../support/netns.ts";
import { describeOs } from "../sysdep/os-compliance.ts";

describeOs("Linux, socket transport", async (attrs) => {
  const ns = await createNetns();
  const os = openLinuxOs({
    transport: "socket",
    rxBufferBytes: 1 << 20,
    attrs,
    log: silentLog,
    netns: ns.name,
  });
  const dispose = async (): Promise<void> => {
    await os.close();
    await ns.dispose();
  };
  try {
    await os.open();
  } catch (error) {
    await dispose();
    throw error;
  }
  return { os, hasTexts: true, ip: (commands) => ns.batch(commands), dispose };
});
