import { afterAll, describe, expect, it } from "vitest";
import { kernelTableNames } from "../../src/config/kernel-tables.ts";
import { ConfigDir } from "../support/config-dir.ts";

const usr = new ConfigDir();
const etc = new ConfigDir();
afterAll(() => {
  usr.remove();
  etc.remove();
});

describe("kernelTableNames()", () => {
  it("knows the kernel's own without any file", async () => {
    expect(Object.fromEntries(await kernelTableNames(["/no/such/directory"]))).toEqual({
      default: 253,
      main: 254,
      local: 255,
    });
  });

  it("reads rt_tables and rt_tables.d/*.conf, the later directory winning", async () => {
    usr.write("rt_tables", "# x\n1\tvpn\n 0x10 hex # c\n2 old\n");
    etc.write("rt_tables", "3 old\nnot a table\n4294967296 big\n4294967295 last");
    etc.write("rt_tables.d/b.conf", "7 seven\n");
    etc.write("rt_tables.d/a.conf", "6 seven\n");
    etc.write("rt_tables.d/readme.txt", "8 eight\n");
    const names = await kernelTableNames([usr.path, etc.path]);
    expect(Object.fromEntries(names)).toEqual({
      default: 253,
      main: 254,
      local: 255,
      vpn: 1,
      hex: 16,
      old: 3,
      last: 4294967295,
      seven: 7,
    });
  });
});
