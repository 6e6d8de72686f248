import { describe, expect, it } from "vitest";
import { AttrsTable } from "../../../src/nest/attrs.ts";
import { ModelKernel, modelOsProvider } from "../../../src/sysdep/model/index.ts";
import type { Os } from "../../../src/sysdep/os.ts";
import { modelIpAll } from "../../support/model-ip.ts";

const kernelWith = (...links: string[]): ModelKernel => {
  const kernel = new ModelKernel();
  modelIpAll(
    kernel,
    links.map((name) => `link add ${name} type ifb`),
  );
  return kernel;
};

async function linksOf(os: Os): Promise<string[]> {
  const names: string[] = [];
  await os.scanInterfaces({ link: ({ name }) => void names.push(name), address: () => {} });
  return names;
}

describe("modelOsProvider()", () => {
  it("makes an Os for each namespace, not open yet", async () => {
    const provider = modelOsProvider(new AttrsTable(), [
      [null, kernelWith("own")],
      ["blue", kernelWith("b0")],
    ]);
    const own = provider.create(null);
    const blue = provider.create("blue");
    await expect(blue.mayWrite()).rejects.toMatchObject({ code: "not-open" });
    await own.open();
    await blue.open();
    expect([await linksOf(own), await linksOf(blue)]).toEqual([
      ["lo", "own"],
      ["lo", "b0"],
    ]);
    expect(provider.os("blue")).toBe(blue);
    await blue.close();
    await expect(linksOf(blue)).rejects.toMatchObject({ code: "not-open" });
  });

  it("opens no namespace that does not exist, and the one that has come since", async () => {
    const provider = modelOsProvider(new AttrsTable());
    const os = provider.create("blue");
    await expect(os.open()).rejects.toMatchObject({ code: "netns-unavailable" });
    provider.set("blue", kernelWith("b0"));
    await os.open();
    expect(await linksOf(os)).toEqual(["lo", "b0"]);
  });

  it("lets an open Os keep its kernel when the name goes or is given to another", async () => {
    const provider = modelOsProvider(new AttrsTable(), [["blue", kernelWith("b0")]]);
    const os = provider.create("blue");
    await os.open();
    provider.remove("blue");
    provider.set("blue", kernelWith("b1"));
    expect(await linksOf(os)).toEqual(["lo", "b0"]);
    await os.close();
    await os.open();
    expect(await linksOf(os)).toEqual(["lo", "b1"]);
  });

  it("tells those who watch a name that it came, was replaced, and went; nobody else", async () => {
    const provider = modelOsProvider(new AttrsTable());
    const [first, second] = [kernelWith(), kernelWith()];
    let calls = 0;
    const watch = provider.watch("blue", () => calls++);
    const identities: (string | null)[] = [watch.identity()];
    const after = async (act: () => void): Promise<number> => {
      act();
      identities.push(watch.identity());
      await Promise.resolve();
      return calls;
    };
    expect(await after(() => provider.set("blue", first))).toBe(1);
    expect(await after(() => provider.set("blue", second))).toBe(2);
    expect(await after(() => provider.set("blue", second))).toBe(2);
    expect(await after(() => provider.set("red", first))).toBe(2);
    expect(await after(() => provider.remove("blue"))).toBe(3);
    expect(identities.map((identity) => identity === null)).toEqual([true, false, false, false, false, true]);
    expect(new Set(identities).size).toBe(3);
    watch.close();
    expect(await after(() => provider.set("blue", first))).toBe(3);
  });

  it("does not call in the same turn, nor after it was closed in that turn", async () => {
    const provider = modelOsProvider(new AttrsTable());
    let calls = 0;
    const watch = provider.watch("blue", () => calls++);
    provider.set("blue", kernelWith());
    expect(calls).toBe(0);
    watch.close();
    await Promise.resolve();
    expect(calls).toBe(0);
  });
});
