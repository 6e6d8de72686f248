import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "./source-files.ts";

const unitFile = join(root, "config", "systemd", "krtd.service");
const unit = readFileSync(unitFile, "utf8");

/** All values of a setting, in order. */
function values(key: string): string[] {
  return unit
    .split("\n")
    .filter((line) => line.startsWith(`${key}=`))
    .map((line) => line.slice(key.length + 1));
}

describe("krtd.service", () => {
  it.each<readonly [key: string, value: string, why: string]>([
    ["Type", "notify", "READY comes with the first complete sync"],
    ["NotifyAccess", "main", "nobody else speaks for krtd"],
    ["ExecReload", "/bin/kill -HUP $MAINPID", "reload is SIGHUP"],
    ["Restart", "on-failure", "a crash heals"],
    ["RestartPreventExitStatus", "2 4 7", "what cannot heal is not tried again"],
    ["User", "krtd", "not root"],
    ["AmbientCapabilities", "CAP_NET_ADMIN", "all it needs"],
    ["CapabilityBoundingSet", "CAP_NET_ADMIN", "all it can ever get"],
    ["RuntimeDirectory", "krtd", "the control socket"],
    ["StateDirectory", "krtd", "its state"],
    ["SyslogIdentifier", "krtd", "not the name of the interpreter"],
  ])("%s=%s: %s", (key, value) => {
    expect(values(key)).toEqual([value]);
  });

  it("tells Node what the first line of krtd tells it, and so do npm start and docs/service.md", () => {
    const text = (file: string): string => readFileSync(join(root, file), "utf8");
    const [, options] = /^#!\/usr\/bin\/env -S node (\S.*)\n/.exec(text("bin/krtd.js")) ?? [];
    expect(options).toMatch(/^--/);
    expect(values("ExecStart")[0]).toContain(`/node ${options} /usr/lib/krtd/bin/krtd.js `);
    expect(text("docs/service.md")).toContain(`/node ${options} /usr/lib/krtd/bin/krtd.js `);
    expect(JSON.parse(text("package.json")).scripts.start).toBe(`exec node ${options} bin/start.js`);
  });

  it("feeds a watchdog", () => {
    expect(Number(values("WatchdogSec")[0])).toBeGreaterThan(0);
  });

  it("opens unix and netlink sockets only", () => {
    expect(values("RestrictAddressFamilies")).toEqual(["AF_UNIX AF_NETLINK"]);
  });

  it("does not forbid what V8 needs", () => {
    expect(values("MemoryDenyWriteExecute")).toEqual([]);
    expect(values("SystemCallFilter")[0]).toBe("@system-service");
  });
});

/**
 * systemd's own judgement. In CI systemd is there (.ci/run sees to it); on a machine without it there is
 * nothing that could judge, and nothing that could run the unit.
 */
const judge = spawnSync("systemd-analyze", ["--version"], { stdio: "ignore" }).status === 0;
if (judge || process.env["CI"]) {
  describe("systemd-analyze finds that krtd.service", () => {
    it("is well-formed", () => {
      const folder = mkdtempSync(join(tmpdir(), "krtd-unit-"));
      try {
        // The unit names the Node of a package; what is judged here is the unit, so it gets this Node.
        const copy = join(folder, "krtd.service");
        writeFileSync(copy, unit.replace("/usr/bin/node", process.execPath));
        const { status, stdout, stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", copy], {
          encoding: "utf8",
        });
        expect({ status, said: stdout + stderr }).toEqual({ status: 0, said: "" });
      } finally {
        rmSync(folder, { recursive: true });
      }
    });

    it("exposes at most 2.5 of 10", () => {
      const { status, stdout } = spawnSync(
        "systemd-analyze",
        ["security", "--offline=true", "--threshold=25", "--no-pager", unitFile],
        { encoding: "utf8" },
      );
      expect(stdout).toContain("Overall exposure level for krtd.service");
      expect(status).toBe(0);
    });
  });
}

describe("krtd.sysusers.conf", () => {
  it("makes the user the unit names", () => {
    const text = readFileSync(join(root, "config", "systemd", "krtd.sysusers.conf"), "utf8");
    expect(text.split("\n").filter((line) => line !== "" && !line.startsWith("#"))).toEqual([
      'u krtd - "krtd route daemon" /var/lib/krtd /usr/sbin/nologin',
    ]);
  });
});
