/** PathTrust: who else can change a file, by owners and modes of all that is on the way to it. */

import { chmodSync, lchownSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadConfig, renderProblems } from "../../src/config/load.ts";
import { PathTrust, type Trusted, trustedByProcess } from "../../src/config/trust.ts";
import { ConfigDir } from "../support/config-dir.ts";

const dir = new ConfigDir();
afterAll(() => dir.remove());

const me = process.getuid!();
const myGroup = statSync(dir.path).gid;

/** All who own a directory on the way to the tests' files. */
const owners = new Set([me]);
for (let at = dirname(dir.path); ; at = dirname(at)) {
  owners.add(statSync(at).uid);
  if (at === "/") break;
}
const ME: Trusted = { uids: owners, gids: new Set([0]) };
/** Somebody else: root gives things away, others are themselves distrusted. */
const stranger = me === 0 ? 12345 : me;
const NOT_STRANGER: Trusted =
  me === 0 ? ME : { uids: new Set([...owners].filter((uid) => uid !== me)), gids: new Set([0]) };
function giveAway(path: string): void {
  if (me === 0) lchownSync(path, stranger, 0);
}

let count = 0;
/** A directory with a file in it, each with its mode. */
function place(directoryMode: number, fileMode: number): { directory: string; file: string } {
  const directory = join(dir.path, `d${count++}`);
  mkdirSync(directory);
  const file = join(directory, "krt.yaml");
  writeFileSync(file, "log: {}\n");
  chmodSync(file, fileMode);
  chmodSync(directory, directoryMode);
  return { directory, file };
}

const words = async (path: string, trusted: Trusted | null = ME): Promise<string | null> =>
  (await new PathTrust(trusted).complaint(path))?.message ?? null;
const hint = async (path: string, trusted: Trusted = ME): Promise<string | null> =>
  (await new PathTrust(trusted).complaint(path))?.hint ?? null;

describe("PathTrust.complaint()", () => {
  it.each([
    [0o755, 0o644],
    [0o700, 0o600],
    [0o755, 0o444],
    [0o1777, 0o644],
    [0o2755, 0o640],
  ])("takes a file in a directory of mode %o with mode %o", async (directoryMode, fileMode) => {
    expect(await words(place(directoryMode, fileMode).file)).toBe(null);
  });

  it("refuses a file that everybody can write, and says what to do", async () => {
    const { file } = place(0o755, 0o646);
    expect(await words(file)).toBe(`Not only root can change the file: everybody can write ${file}`);
    expect(await hint(file)).toBe(`chmod o-w ${file}`);
  });

  it("refuses a file that a group can write, unless that is root's or krtd's own", async () => {
    const { file } = place(0o755, 0o664);
    const nobody = { uids: owners, gids: new Set<number>() };
    expect(await words(file, nobody)).toBe(
      `Not only root can change the file: the members of group ${myGroup} can write ${file}`,
    );
    expect(await hint(file, nobody)).toBe(`chmod g-w ${file}`);
    expect(await words(file, { uids: owners, gids: new Set([myGroup]) })).toBe(null);
  });

  it("refuses a directory in which anybody could put another file", async () => {
    const { file, directory } = place(0o777, 0o644);
    expect(await words(file)).toBe(
      `Not only root can change the file: everybody can write directory ${directory}`,
    );
    expect(await hint(file)).toBe(`chmod o-w ${directory}`);
  });

  it("looks at every directory on the way, also behind links and ..", async () => {
    const open = place(0o777, 0o644);
    mkdirSync(join(open.directory, "inner"));
    const inner = join(open.directory, "inner", "krt.yaml");
    writeFileSync(inner, "");
    const safe = place(0o755, 0o644);
    const link = join(safe.directory, "link.yaml");
    symlinkSync(inner, link);
    const expected = `Not only root can change the file: everybody can write directory ${open.directory}`;
    expect(await words(inner)).toBe(expected);
    expect(await words(link)).toBe(expected);
    expect(await words(`${safe.directory}/../${open.directory.split("/").at(-1)}/krt.yaml`)).toBe(expected);
    // What is on the way only in letters is on the way to the kernel, too.
    expect(await words(`${open.directory}/../${safe.directory.split("/").at(-1)}/krt.yaml`)).toBe(expected);
  });

  it("refuses a good file behind a link that others could replace", async () => {
    const safe = place(0o755, 0o644);
    const open = place(0o777, 0o644);
    const link = join(open.directory, "link.yaml");
    symlinkSync(safe.file, link);
    expect(await words(link)).toContain(`everybody can write directory ${open.directory}`);
  });

  it("refuses a file that everybody can write behind a good link in a good directory", async () => {
    const { directory, file } = place(0o755, 0o646);
    const link = join(directory, "link.yaml");
    symlinkSync("krt.yaml", link);
    expect(await words(link)).toContain(`everybody can write ${file}`);
  });

  it("looks again at what was opened", () => {
    const { file } = place(0o755, 0o644);
    const { file: another } = place(0o755, 0o646);
    const trust = new PathTrust(ME);
    expect(trust.complaintOfOpened(file, statSync(file))).toBe(null);
    expect(trust.complaintOfOpened(file, statSync(another))?.message).toContain(
      `everybody can write ${file}`,
    );
    expect(new PathTrust(null).complaintOfOpened(file, statSync(another))).toBe(null);
  });

  it("refuses what belongs to another", async () => {
    const { directory, file } = place(0o755, 0o644);
    giveAway(directory);
    const first = me === 0 ? directory : dir.path;
    expect(await words(file, NOT_STRANGER)).toBe(
      `Not only root can change the file: user ${stranger} can change directory ${first}, to whom it belongs`,
    );
    expect(await hint(file, NOT_STRANGER)).toContain(`chown root ${first}, or put the configuration`);
  });

  it("in a directory for all takes only what belongs to somebody trusted, links too", async () => {
    const shared = place(0o1777, 0o644);
    const link = join(shared.directory, "link.yaml");
    symlinkSync(place(0o755, 0o644).file, link);
    expect(await words(link)).toBe(null);
    giveAway(link);
    const first = me === 0 ? `link ${link}` : `directory ${dir.path}`;
    expect(await words(link, NOT_STRANGER)).toContain(`user ${stranger} can change ${first}`);
  });

  it("takes anything where nobody is distrusted, and leaves to opening what cannot be looked at", async () => {
    expect(await words(place(0o777, 0o666).file, null)).toBe(null);
    expect(await words(join(dir.path, "missing", "krt.yaml"))).toBe(null);
    expect(await words(`${dir.path}/a\0b`)).toBe(null);
    symlinkSync("loop", join(dir.path, "loop"));
    expect(await words(join(dir.path, "loop"))).toBe(null);
    expect(await words("/dev/zero")).toBe(null);
  });

  it("quotes what a shell would not take for one word", async () => {
    const odd = join(dir.path, "it's $(reboot)");
    writeFileSync(odd, "");
    chmodSync(odd, 0o666);
    expect(await hint(odd)).toBe(`chmod o-w '${dir.path}/it'\\''s $(reboot)'`);
  });
});

describe("loadConfig() takes only files that nobody else can change", () => {
  const load = async (file: string, trusted: Trusted | null = ME): Promise<string> => {
    const loaded = await loadConfig(file, { iproute2Directories: [dir.path], trusted });
    return loaded.ok ? "" : renderProblems(loaded.problems).replaceAll(`${dir.path}/`, "");
  };

  it("krt.yaml", async () => {
    const { file } = place(0o755, 0o666);
    expect(await load(file)).toContain("Not only root can change the file: everybody can write");
    expect(await load(file, null)).toBe("");
  });

  it("a route file, at the place that names it", async () => {
    const { directory, file } = place(0o755, 0o644);
    writeFileSync(file, "static: {s: {table: master4, files: [r.routes]}}\n");
    writeFileSync(join(directory, "r.routes"), "192.0.2.0/24 dev eth0\n");
    expect(await load(file)).toBe("");
    chmodSync(join(directory, "r.routes"), 0o622);
    const short = directory.slice(dir.path.length + 1);
    expect(await load(file)).toBe(
      `${short}/krt.yaml:1:38: Not only root can change the file: everybody can write ${short}/r.routes\n` +
        "    1 | static: {s: {table: master4, files: [r.routes]}}\n" +
        "      |                                      ^\n" +
        `  chmod o-w ${short}/r.routes\n`,
    );
  });

  it("the directory of a pattern", async () => {
    const { directory, file } = place(0o755, 0o644);
    mkdirSync(join(directory, "r.d"));
    chmodSync(join(directory, "r.d"), 0o777);
    writeFileSync(file, "static: {s: {table: master4, files: ['r.d/*.routes']}}\n");
    expect(await load(file)).toContain("everybody can write directory");
    chmodSync(join(directory, "r.d"), 0o755);
    expect(await load(file)).toBe("");
  });
});

describe("trustedByProcess()", () => {
  it("distrusts nobody when it is told so", () => {
    expect(trustedByProcess({ KRTD_TRUST_FILES: "1" })).toBe(null);
  });

  it("trusts root, itself and the owner of the program, if it may change routes", () => {
    const trusted = trustedByProcess({});
    if (me === 0) {
      expect([...trusted!.uids]).toEqual(
        expect.arrayContaining([0, statSync(new URL("../../src/config/trust.ts", import.meta.url)).uid]),
      );
      expect(trusted!.gids.has(0)).toBe(true);
    } else {
      expect(trusted === null || trusted.uids.has(me)).toBe(true);
    }
  });
});
