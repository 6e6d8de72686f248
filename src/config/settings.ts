/**
 * The parts of krt.yaml that stand for themselves: router-id, protocol-id, log, control, netlink, device, safety,
 * graceful-restart. Defaults are filled in here and nowhere else.
 */

import { isAbsolute } from "node:path";
import { formatDuration, parseDuration } from "../lib/duration.ts";
import type { IpAddress } from "../lib/ip.ts";
import { formatSize, parseSize } from "../lib/size.ts";
import type { DeviceConfig, InterfaceConfig } from "../proto/device/config.ts";
import type { KrtConfig } from "./config.ts";
import type { Duration, KrtInput } from "./input.ts";
import { readPattern } from "./interface-pattern.ts";
import { type Problem, TOO_MANY_PROBLEMS } from "./problems.ts";
import { readSafety } from "./safety.ts";
import { hostComplaint, isComplaint, readAddress } from "./spec-rules.ts";
import type { Path, Tree } from "./tree.ts";

export const DEFAULT_PROTOCOL_ID = 120;
export const DEFAULT_DEVICE_SCAN_MS = 10_000;
export const DEFAULT_RX_BUFFER_BYTES: number = 16 * 1024 * 1024;
export const DEFAULT_SOCKET_MODE = 0o660;
export const DEFAULT_RESTART_WAIT_MS = 240_000;

/** sun_path of a unix socket: 108 bytes with its NUL. */
const SOCKET_PATH_LIMIT = 107;
const SHORTEST_TIME_MS = 10;
const LONGEST_TIME_MS = 86_400_000;
const SMALLEST_RX_BUFFER = 64 * 1024;
/** SO_RCVBUF is an int that the kernel doubles. */
const LARGEST_RX_BUFFER = 1024 * 1024 * 1024 - 1024 * 1024;

export type Settings = Pick<
  KrtConfig,
  | "routerId"
  | "protocolId"
  | "formerProtocolIds"
  | "log"
  | "control"
  | "netlink"
  | "device"
  | "gracefulRestart"
  | "safety"
>;

/** Reports into `problems`; with any of them the result is not to be used. */
export function readSettings(input: KrtInput, tree: Tree, problems: Problem[]): Settings {
  return {
    routerId: readRouterId(input, tree, problems),
    protocolId: input["protocol-id"] ?? DEFAULT_PROTOCOL_ID,
    formerProtocolIds: readFormerIds(input, tree, problems),
    log: { level: input.log?.level ?? "info", format: input.log?.format ?? "auto" },
    control: {
      socket: readSocket(input, tree, problems),
      group: input.control?.group == null ? null : String(input.control.group),
      mode: readMode(input, tree, problems),
    },
    netlink: {
      transport: input.netlink?.transport ?? "socket",
      rxBufferBytes: readRxBuffer(input, tree, problems),
    },
    device: readDevice(input, tree, problems),
    gracefulRestart: {
      enabled: input["graceful-restart"]?.enabled ?? false,
      waitMs: readRestartWait(input, tree, problems),
    },
    safety: readSafety(input, tree, problems),
  };
}

/** Milliseconds of a scan-time: 0, or within sensible bounds. */
export function readScanTime(
  value: Duration | undefined,
  path: Path,
  otherwise: number,
  tree: Tree,
  problems: Problem[],
): number {
  if (value === undefined) return otherwise;
  const ms = parseDuration(value);
  if (ms === 0 || isSensible(ms)) return ms;
  problems.push(
    tree.atValue(path, `scan-time must be 0 or ${SENSIBLE_TIMES}, not ${tree.written(path) ?? value}`),
  );
  return otherwise;
}

function readRestartWait(input: KrtInput, tree: Tree, problems: Problem[]): number {
  const value = input["graceful-restart"]?.wait;
  if (value === undefined) return DEFAULT_RESTART_WAIT_MS;
  const ms = parseDuration(value);
  if (isSensible(ms)) return ms;
  const path = ["graceful-restart", "wait"];
  problems.push(tree.atValue(path, `wait must be ${SENSIBLE_TIMES}, not ${tree.written(path) ?? value}`));
  return DEFAULT_RESTART_WAIT_MS;
}

const SENSIBLE_TIMES = `from ${formatDuration(SHORTEST_TIME_MS)} to ${formatDuration(LONGEST_TIME_MS)}`;

function isSensible(ms: number | null): ms is number {
  return ms !== null && ms >= SHORTEST_TIME_MS && ms <= LONGEST_TIME_MS;
}

function readFormerIds(input: KrtInput, tree: Tree, problems: Problem[]): number[] {
  const ids: number[] = [];
  const own = input["protocol-id"] ?? (tree.has(["protocol-id"]) ? null : DEFAULT_PROTOCOL_ID);
  for (const [i, id] of (input["former-protocol-ids"] ?? []).entries()) {
    if (id === undefined) continue;
    if (problems.length >= TOO_MANY_PROBLEMS) break;
    const place = ["former-protocol-ids", i];
    if (id === own) problems.push(tree.atValue(place, `${id} is the protocol-id of now, not a former one`));
    else if (ids.includes(id)) problems.push(tree.atValue(place, `${id} is there twice`));
    else ids.push(id);
  }
  return ids;
}

function readRouterId(input: KrtInput, tree: Tree, problems: Problem[]): IpAddress | null {
  const text = input["router-id"];
  if (text === undefined || text === null) return null;
  const address = readAddress("router-id", text);
  if (isComplaint(address)) {
    problems.push(tree.atValue(["router-id"], address.message, address.hint));
    return null;
  }
  if (address.family === 4 && address.w0 !== 0) return address;
  problems.push(
    tree.atValue(["router-id"], `router-id must be an IPv4 address other than 0.0.0.0, not ${text}`),
  );
  return null;
}

function readSocket(input: KrtInput, tree: Tree, problems: Problem[]): string | null {
  const socket = input.control?.socket;
  if (socket === undefined || socket === null) return null;
  const path = ["control", "socket"];
  const bytes = Buffer.byteLength(socket);
  if (!isAbsolute(socket)) {
    problems.push(tree.atValue(path, `socket must be an absolute path, not "${socket}"`));
  } else if (bytes > SOCKET_PATH_LIMIT) {
    const limit = `at most ${SOCKET_PATH_LIMIT} are possible`;
    problems.push(tree.atValue(path, `The path of the socket has ${bytes} bytes, ${limit}`));
  } else if (socket.endsWith("/")) {
    problems.push(tree.atValue(path, `socket must be the path of a file, not of a directory`));
  }
  return socket;
}

/** Octal as chmod reads it: the text counts, since YAML takes an unquoted 0660 for six hundred and sixty. */
function readMode(input: KrtInput, tree: Tree, problems: Problem[]): number {
  const mode = input.control?.mode;
  if (mode === undefined) return DEFAULT_SOCKET_MODE;
  const path = ["control", "mode"];
  const written = tree.written(path) ?? String(mode);
  const match = /^(?:0o?)?([0-7]{3})$/.exec(written);
  if (match !== null) return Number.parseInt(match[1]!, 8);
  problems.push(tree.atValue(path, `mode must be three octal digits such as "0660", not ${written}`));
  return DEFAULT_SOCKET_MODE;
}

function readRxBuffer(input: KrtInput, tree: Tree, problems: Problem[]): number {
  const size = input.netlink?.["rx-buffer"];
  if (size === undefined) return DEFAULT_RX_BUFFER_BYTES;
  const bytes = parseSize(size);
  if (bytes !== null && bytes >= SMALLEST_RX_BUFFER && bytes <= LARGEST_RX_BUFFER) return bytes;
  const path = ["netlink", "rx-buffer"];
  const range = `from ${formatSize(SMALLEST_RX_BUFFER)} to ${formatSize(LARGEST_RX_BUFFER)}`;
  problems.push(tree.atValue(path, `rx-buffer must be ${range}, not ${tree.written(path) ?? size}`));
  return DEFAULT_RX_BUFFER_BYTES;
}

function readDevice(input: KrtInput, tree: Tree, problems: Problem[]): DeviceConfig {
  const path = ["device", "scan-time"];
  const scanTime = input.device?.["scan-time"];
  return {
    scanTimeMs: readScanTime(scanTime, path, DEFAULT_DEVICE_SCAN_MS, tree, problems),
    requireAddress: input.device?.["require-address"] ?? false,
    interfaces: readPreferred(input, tree, problems),
  };
}

function readPreferred(input: KrtInput, tree: Tree, problems: Problem[]): InterfaceConfig[] {
  const interfaces: InterfaceConfig[] = [];
  const path = ["device", "interfaces"];
  // Not in the order of the object: there a name that is a number comes first.
  for (const text of tree.keys(path)) {
    const entry = input.device?.interfaces?.[text];
    if (entry === undefined || entry === null) continue;
    if (problems.length >= TOO_MANY_PROBLEMS) break;
    const at = [...path, text];
    const pattern = readPattern(text);
    if (isComplaint(pattern)) problems.push(tree.atKey(at, pattern.message, pattern.hint));
    if (entry.preferred === undefined) continue;
    const preferred = readAddress("preferred", entry.preferred);
    const wrong = isComplaint(preferred) ? preferred : hostComplaint("preferred", preferred);
    if (wrong !== null) problems.push(tree.atValue([...at, "preferred"], wrong.message, wrong.hint));
    if (!isComplaint(pattern) && !isComplaint(preferred)) {
      interfaces.push({ pattern: pattern.latin1, preferred });
    }
  }
  return interfaces;
}
