/** loadConfig(): what right entries of kernel, direct, pipe and device mean, and which namespace a table is of. */

import { afterAll, describe, expect, it } from "vitest";
import { ConfigDir } from "../support/config-dir.ts";

const dir = new ConfigDir();
afterAll(() => dir.remove());

const firstKernel = async (entry: string) => (await dir.config(`kernel: {k: ${entry}}\n`)).kernels[0]!;

describe("loadConfig() reads merge-paths", () => {
  it.each([
    ["{merge-paths: false}", 1, "1: only the best route counts"],
    ["{merge-paths: true}", 128, "true: as many as IPv4 allows"],
    ["{table: master6, merge-paths: true}", 64, "and IPv6"],
    ["{merge-paths: 2}", 2, "the fewest that merge"],
    ["{merge-paths: 128}", 128, "the most for IPv4"],
    ["{table: master6, merge-paths: 64}", 64, "the most for IPv6"],
  ])("%s as %d", async (entry, paths, why) => {
    expect((await firstKernel(entry)).mergePaths, why).toBe(paths);
  });
});

describe("loadConfig() gives a namespace one spelling", () => {
  it.each([
    ["null", null],
    ["blue", "blue"],
    ["'..blue'", "..blue"],
    ["/run/netns/blue", "blue"],
    ["/var/run/netns/blue", "blue"],
    ["//run/./netns//blue", "blue"],
    ["/run/netns/../netns/blue", "blue"],
    ["/run/netns/blue/", "blue"],
    ["/run/netns/sub/blue", "/run/netns/sub/blue"],
    ["/proc/1/ns/net", "/proc/1/ns/net"],
  ])("%s", async (written, netns) => {
    expect((await firstKernel(`{netns: ${written}}`)).netns).toBe(netns);
  });

  it("and that of its kernel protocol to a table", async () => {
    const { tables } = await dir.config(
      "tables: {a: {family: ipv4}, b: {family: ipv6}, c: {family: ipv4}}\n" +
        "kernel: {k: {table: a, netns: blue}, l: {table: b}, m: {table: master6, netns: /x}}\n",
    );
    expect(tables).toEqual([
      { name: "master4", family: 4, netns: null },
      { name: "master6", family: 6, netns: "/x" },
      { name: "a", family: 4, netns: "blue" },
      { name: "b", family: 6, netns: null },
      { name: "c", family: 4, netns: null },
    ]);
  });
});

describe("loadConfig() reads any number of tables", () => {
  it("with ids above 255 and names of rt_tables", async () => {
    const count = 3000;
    const numbers = Array.from({ length: count }, (_, i) => i);
    dir.write("rt_tables.d/many.conf", numbers.map((i) => `${100_000 + i} named${i}`).join("\n"));
    const text = `tables: {${numbers.map((i) => `t${i}: {family: ipv4}`).join(", ")}}
kernel:
${numbers.map((i) => `  k${i}: {table: t${i}, kernel-table: ${i % 2 === 0 ? `named${i}` : 100_000 + i}}`).join("\n")}
`;
    const { tables, kernels } = await dir.config(text);
    expect(tables).toHaveLength(count + 2);
    expect(kernels.map(({ kernelTable }) => kernelTable)).toEqual(numbers.map((i) => 100_000 + i));
    expect(kernels[2999]).toMatchObject({ table: "t2999", kernelTableName: null });
    expect(kernels[2998]).toMatchObject({ table: "t2998", kernelTableName: "named2998" });
  });
});

describe("loadConfig() reads direct protocols", () => {
  it.each<[string, readonly string[], string]>([
    ["", ["master4", "master6"], "both, when nothing is said"],
    ["table: blue6", ["blue6"], "one by its name"],
    ["table: [blue4]", ["blue4"], "one in a list"],
    ["table: [blue6, blue4]", ["blue4", "blue6"], "IPv4 first, so that the order means nothing"],
  ])("{%s}: tables %j", async (entry, tables, why) => {
    const text = `tables: {blue4: {family: ipv4}, blue6: {family: ipv6}}\ndirect: {d: {${entry}}}\n`;
    expect((await dir.config(text)).directs[0]!.tables, why).toEqual(tables);
  });

  it("with patterns as bytes, preference and import", async () => {
    const { directs } = await dir.config(
      'direct: {d: {interfaces: ["!eth9", "eth*", "\\u00fcber?", "!*"], preference: 0, import: none}}\n',
    );
    expect(directs[0]).toMatchObject({
      interfaces: ["!eth9", "eth*", "\u00c3\u00bcber?", "!*"],
      preference: 0,
      import: { name: "none" },
    });
  });
});

describe("loadConfig() reads pipes", () => {
  it("with a filter for each direction", async () => {
    const text =
      "tables: {blue6: {family: ipv6}}\npipe: {p: {table: blue6, peer-table: master6, import: none}}\n";
    expect((await dir.config(text)).pipes).toMatchObject([
      {
        name: "p",
        table: "blue6",
        peerTable: "master6",
        import: { name: "none" },
        export: { name: "all" },
      },
    ]);
  });
});

describe("loadConfig() reads static protocols", () => {
  it("with check-link, import and recursive routes, in files too", async () => {
    dir.write(
      "r.routes",
      "198.51.100.0/24 recursive 10.1.2.3 metric 7\n10.0.0.0/8 via inet6 fe80::1 dev eth0\n",
    );
    const { statics } = await dir.config(`static:
  s:
    check-link: true
    import: none
    routes:
      - {prefix: 192.0.2.0/24, recursive: 10.1.2.3, metric: 7}
      - {prefix: 203.0.113.0/24, recursive: 10.1.2.3, prefsrc: 192.0.2.10, mtu: 1400}
      - {prefix: 172.16.0.0/12, via: "fe80::1", dev: eth0}
      - {prefix: 172.32.0.0/12, nexthops: [{via: "2001:db8::1"}, {via: 192.0.2.1}]}
    files: [r.routes]
`);
    expect(statics[0]).toMatchObject({ checkLink: true, import: { name: "none" } });
    const { routes } = statics[0]!;
    const specOf = (i: number) => routes.specs[routes.spec[i]!]!;
    expect(specOf(0)).toMatchObject({
      type: "unicast",
      nexthops: [],
      metric: 7,
      recursive: { family: 4, w0: 0x0a010203 },
    });
    expect(specOf(1)).toMatchObject({ nexthops: [], mtu: 1400, prefsrc: { family: 4 }, metric: null });
    expect(specOf(2).nexthops).toMatchObject([
      { via: { family: 6, w0: 0xfe800000 | 0, w3: 1 }, dev: "eth0" },
    ]);
    expect(specOf(3).nexthops).toMatchObject([{ via: { family: 6 } }, { via: { family: 4 } }]);
    expect(specOf(4), "one spec, wherever it was written").toBe(specOf(0));
    expect(specOf(5)).toBe(specOf(2));
  });
});

describe("loadConfig() reads what is for the whole daemon", () => {
  it("former-protocol-ids and graceful-restart", async () => {
    const config = await dir.config(
      "protocol-id: 121\nformer-protocol-ids: [255, 120, 5]\ngraceful-restart: {enabled: true, wait: 30s}\n",
    );
    expect(config.formerProtocolIds).toEqual([255, 120, 5]);
    expect(config.gracefulRestart).toEqual({ enabled: true, waitMs: 30_000 });
  });

  it("preferred addresses, in the order they were written", async () => {
    const { device } = await dir.config(
      'device: {interfaces: {"\\u00fc*": {preferred: 192.0.2.10}, "7": {preferred: "2001:db8::7"}, "*": {preferred: 192.0.2.11}}}\n',
    );
    expect(device.interfaces).toMatchObject([
      { pattern: "\u00c3\u00bc*", preferred: { family: 4, w0: 0xc000020a | 0 } },
      { pattern: "7", preferred: { family: 6, w3: 7 } },
      { pattern: "*", preferred: { family: 4 } },
    ]);
  });
});
