import { describe, expect, it } from "vitest";
import { Namespace } from "../../src/daemon/namespace.ts";
import { silentLog } from "../../src/lib/log.ts";
import { AttrsTable } from "../../src/nest/attrs.ts";
import { ModelKernel, modelOsProvider } from "../../src/sysdep/model/index.ts";
import { FakeClock } from "../support/fake-clock.ts";

describe("Namespace", () => {
  it("says what is the case when one that was refused is gone", async () => {
    const attrs = new AttrsTable();
    const own = new ModelKernel();
    const provider = modelOsProvider(attrs, [
      [null, own],
      ["a", own],
    ]);
    const clock = new FakeClock();
    const namespace = new Namespace({
      name: "a",
      provider,
      os: null,
      device: { scanTimeMs: 0, requireAddress: false, interfaces: [] },
      clock,
      log: silentLog,
      servedAs: () => null,
      enqueue: (job) => job(),
      kernels: () => [],
      onChange: async () => {},
    });
    await namespace.open();
    expect(namespace.problem).toContain("krtd's own");
    provider.remove("a");
    await clock.advance(10_000);
    expect(namespace.problem).toBe("There is no network namespace a");
    await namespace.close();
  });
});
