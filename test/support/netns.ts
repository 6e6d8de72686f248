/**
 * Network namespaces for live tests. Every live test works in one of its own and never touches the machine's
 * network: the name carries our process id and a random part, and dispose() removes it, whatever happened.
 *
 * A netlink socket belongs to the namespace its thread was in when it was opened, for ever. So inside() moves
 * the calling thread there with setns(2) only while `fn` runs synchronously; what `fn` awaits runs outside.
 */

import { execFile, execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { insideNetns } from "../../src/sysdep/linux/netlink/netns.ts";

const execute = promisify(execFile);
const OUTPUT_LIMIT = 512 * 1024 * 1024;

export interface Netns extends AsyncDisposable {
  /** For `ip -n NAME` and for openLinuxOs({ netns }). */
  readonly name: string;
  /** Where `setns` and `nsenter --net=` find it. */
  readonly path: string;
  /** `ip -n NAME …`, split at spaces, no shell. Returns what it printed; rejects with its stderr. */
  ip(command: string): Promise<string>;
  /** As ip(), but for one whose failure is expected: returns its exit code and stderr. */
  tryIp(
    command: string,
  ): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;
  /** `ip -batch -` with one command a line (no options in it): thousands of changes in one process. */
  batch(commands: readonly string[]): Promise<void>;
  /** Any program inside the namespace. */
  run(command: string, args: readonly string[]): Promise<string>;
  /** Runs the synchronous part of `fn` with this thread inside the namespace. */
  inside<T>(fn: () => T): T;
  /** Removes the namespace. Idempotent. */
  dispose(): Promise<void>;
}

/** A name that no namespace has. */
export function netnsName(): string {
  return `krtd-${process.pid}-${randomBytes(4).toString("hex")}`;
}

/** Makes an empty namespace with `lo` up. Needs root. */
export async function createNetns(name: string = netnsName()): Promise<Netns> {
  const path = `/run/netns/${name}`;
  await execute("ip", ["netns", "add", name]);
  let present = true;
  /** A test process that dies half-way leaves nothing behind either. */
  const removeAtExit = (): void => {
    if (present) execFileSync("ip", ["netns", "del", name], { stdio: "ignore" });
  };
  process.once("exit", removeAtExit);

  const run = async (command: string, args: readonly string[]): Promise<string> => {
    const all = ["netns", "exec", name, command, ...args];
    return (await execute("ip", all, { maxBuffer: OUTPUT_LIMIT })).stdout;
  };
  const ip = async (command: string): Promise<string> => {
    const args = ["-n", name, ...command.split(" ").filter((word) => word !== "")];
    try {
      return (await execute("ip", args, { maxBuffer: OUTPUT_LIMIT })).stdout;
    } catch (error) {
      throw new Error(`Cannot ip ${command}: ${failure(error).stderr.trim()}`, { cause: error });
    }
  };
  const dispose = async (): Promise<void> => {
    if (!present) return;
    present = false;
    process.off("exit", removeAtExit);
    await execute("ip", ["netns", "del", name]);
  };

  try {
    await ip("link set lo up");
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    name,
    path,
    ip,
    async tryIp(command) {
      const args = ["-n", name, ...command.split(" ").filter((word) => word !== "")];
      try {
        const { stdout, stderr } = await execute("ip", args, { maxBuffer: OUTPUT_LIMIT });
        return { code: 0, stdout, stderr };
      } catch (error) {
        return failure(error);
      }
    },
    batch(commands) {
      return new Promise((resolve, reject) => {
        const child = execFile("ip", ["-n", name, "-batch", "-"], (error, _stdout, stderr) => {
          if (error === null) resolve();
          else reject(new Error(`Cannot ip -batch: ${stderr.trim()}`, { cause: error }));
        });
        // ip ends at the first command it does not know; that error, not the broken pipe, is the one to report.
        child.stdin?.on("error", () => {});
        child.stdin?.end(`${commands.join("\n")}\n`);
      });
    },
    run,
    inside: (fn) => insideNetns(path, fn),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

/** Makes a namespace, hands it to `fn`, and removes it, also when `fn` fails. */
export async function withNetns<T>(fn: (ns: Netns) => Promise<T>): Promise<T> {
  const ns = await createNetns();
  try {
    return await fn(ns);
  } finally {
    await ns.dispose();
  }
}

/** A veth pair, both ends up and in the same namespace. */
export async function createVethPair(ns: Netns, a: string, b: string): Promise<void> {
  await ns.ip(`link add ${a} type veth peer name ${b}`);
  await ns.ip(`link set ${a} up`);
  await ns.ip(`link set ${b} up`);
}

/**
 * The topology most live tests use: v0 (10.0.0.1/24, 2001:db8:0:1::1/64) and its peer v1 without addresses,
 * both up. Gateways 10.0.0.2–254 and 2001:db8:0:1::2… are on-link, though nobody answers there.
 */
export async function createTopology(name?: string): Promise<Netns> {
  const ns = await createNetns(name);
  try {
    await createVethPair(ns, "v0", "v1");
    await ns.ip("addr add 10.0.0.1/24 dev v0");
    await ns.ip("addr add 2001:db8:0:1::1/64 dev v0 nodad");
  } catch (error) {
    await ns.dispose();
    throw error;
  }
  return ns;
}

/**
 * Waits until no IPv6 address is tentative any more: until then the kernel adds routes by itself, and a picture
 * of all routes is not the same twice.
 */
export async function settled(ns: Netns): Promise<void> {
  await waitFor("addresses are not tentative", async () => {
    const links = (await ns.ip("-o link show up")).trim().split("\n").length;
    const local = (await ns.ip("-o -6 addr show scope link -tentative")).trim().split("\n").length;
    return local >= links - 1;
  });
}

/** The index of a link, as the kernel numbers it in that namespace. */
export async function ifindexOf(ns: Netns, name: string): Promise<number> {
  const links: unknown = JSON.parse(await ns.ip(`-j link show dev ${name}`));
  const first: unknown = Array.isArray(links) ? links[0] : undefined;
  if (
    typeof first === "object" &&
    first !== null &&
    "ifindex" in first &&
    typeof first.ifindex === "number"
  ) {
    return first.ifindex;
  }
  throw new Error(`Cannot find the index of link ${name}`);
}

/** Polls until `condition` holds; throws after the deadline. For live tests, which must never just sleep. */
export async function waitFor(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs = 10_000,
  pollMs = 10,
): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`Timed out after ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

function failure(error: unknown): {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
} {
  const fields = typeof error === "object" && error !== null ? (error as Record<string, unknown>) : {};
  const code = fields["code"];
  return {
    code: typeof code === "number" ? code : -1,
    stdout: String(fields["stdout"] ?? ""),
    stderr: String(fields["stderr"] ?? error),
  };
}
