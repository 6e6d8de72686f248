import { describe, expect, it } from "vitest";
import { parseIp } from "../../../src/lib/ip.ts";
import { silentLog } from "../../../src/lib/log.ts";
import { AttrsTable } from "../../../src/nest/attrs.ts";
import { Interfaces } from "../../../src/nest/iface.ts";
import type { InterfaceEvent } from "../../../src/nest/iface-event.ts";
import { DeviceProtocol } from "../../../src/proto/device/device.ts";
import { ModelKernel, modelOs } from "../../../src/sysdep/model/index.ts";
import { FakeClock, settle } from "../../support/fake-clock.ts";

async function setup(scanTimeMs = 10_000) {
  const kernel = new ModelKernel();
  const v0 = kernel.addVeth("v0", "v1");
  kernel.setUp(v0);
  kernel.setUp(kernel.links.byName("v1")!.ifindex);
  const os = modelOs(kernel, new AttrsTable());
  const interfaces = new Interfaces({ requireAddress: false });
  const events: string[] = [];
  interfaces.listen((event: InterfaceEvent) => events.push(`${event.kind} ${event.iface.name}`));
  const clock = new FakeClock();
  const config = { scanTimeMs, requireAddress: false, interfaces: [] };
  const device = new DeviceProtocol({ config, netns: null, interfaces, os, clock, log: silentLog });
  await os.monitor({
    link: (link) => device.linkChanged(link),
    linkGone: (ifindex) => device.linkGone(ifindex),
    address: (address) => device.addressChanged(address),
    nexthopGone: () => {},
    addressGone: (address) => device.addressGone(address),
    route: () => {},
    lost: () => {},
  });
  return { kernel, os, interfaces, device, clock, events, v0 };
}

describe("DeviceProtocol", () => {
  it("has read all interfaces and addresses once it has started", async () => {
    const { device, interfaces } = await setup();
    await device.start();
    expect(interfaces.byName("v0")?.up).toBe(true);
    expect(interfaces.byName("lo")).toMatchObject({ up: false, loopback: true });
    await device.stop();
  });

  it("does not undo what events tell while it reads, as if what it read were newer", async () => {
    const { device, kernel, os, interfaces, clock, events, v0 } = await setup();
    kernel.addAddress(v0, parseIp("10.0.0.1")!, 24);
    await device.start();
    const scan = os.scanInterfaces.bind(os);
    os.scanInterfaces = async (sink) => {
      const outcome = await scan(sink);
      os.scanInterfaces = scan;
      // After the dumps and before their end is seen.
      kernel.addAddress(v0, parseIp("10.0.5.2")!, 24);
      kernel.removeAddress(v0, parseIp("10.0.0.1")!, 24);
      kernel.rename(v0, "wan0");
      await settle();
      return outcome;
    };
    events.length = 0;
    await device.scan();
    expect(interfaces.byName("wan0")?.ifindex).toBe(v0);
    expect(events).toEqual(["address-added v0", "address-removed v0", "renamed wan0"]);
    await clock.advance(1000);
    expect(events).toHaveLength(3);
    await device.stop();
  });

  it("finds by its timer what no event told", async () => {
    const { device, kernel, os, interfaces, clock, v0 } = await setup();
    await device.start();
    os.loseEvents();
    kernel.rename(v0, "wan0");
    await clock.advance(10_000);
    expect(interfaces.byName("wan0")?.ifindex).toBe(v0);
    await device.stop();
  });

  it("infers no absence from an incomplete scan, and tries again soon", async () => {
    const { device, kernel, os, interfaces, clock, events, v0 } = await setup();
    await device.start();
    events.length = 0;
    os.faults.injectIncompleteInterfaceScan(1);
    expect(await device.scan()).toBe(false);
    expect(events).toEqual([]);
    expect(device.info()).toContain("incomplete");
    await clock.advance(1000);
    expect(device.info()).toBe("");
    kernel.removeLink(v0);
    await clock.advance(0);
    expect(interfaces.byName("v0")).toBeUndefined();
    await device.stop();
  });

  it("reads the addresses of an interface that an event announced before it calls it up", async () => {
    const { device, kernel, clock, events, interfaces } = await setup();
    await device.start();
    events.length = 0;
    const index = kernel.addVeth("w0", "w1");
    kernel.setUp(index);
    kernel.setUp(kernel.links.byName("w1")!.ifindex);
    await settle();
    expect(interfaces.byName("w0")?.up).toBe(false);
    await clock.advance(300);
    expect(interfaces.byName("w0")?.up).toBe(true);
    await device.stop();
  });

  it("refresh() scans only when the last complete scan is too old", async () => {
    const { device, clock, interfaces, kernel, os, v0 } = await setup(0);
    await device.start();
    os.loseEvents();
    kernel.rename(v0, "wan0");
    os.loseEvents();
    await device.refresh(2000);
    expect(interfaces.byName("wan0")).toBeUndefined();
    await clock.advance(3000);
    await device.refresh(2000);
    expect(interfaces.byName("wan0")).toBeDefined();
    await device.stop();
  });
});
