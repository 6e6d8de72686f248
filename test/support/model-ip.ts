/**
 * A small `ip` for the model kernel: the same command text drives the model and, through the real `ip`, Linux.
 * It understands the few commands the tests use and throws on anything else. It fills in what iproute2 fills
 * in (protocol boot, scope by gateway) and answers with the text iproute2 prints to stderr.
 */

import { congestionId } from "../../src/lib/congestion-names.ts";
import { errnoText } from "../../src/lib/errno.ts";
import { type IpAddress, parseIp } from "../../src/lib/ip.ts";
import { maxLength, type Prefix } from "../../src/lib/prefix.ts";
import type {
  Answer,
  ModelKernel,
  RequestNexthop,
  RouteOperation,
  RouteRequest,
} from "../../src/sysdep/model/index.ts";

/** What a command did; `text` is what `ip` would print to stderr, "" on success. */
export interface IpResult extends Answer {
  readonly text: string;
}

const TYPES: Readonly<Record<string, number>> = {
  unicast: 1,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
  throw: 9,
};
const PROTOCOLS: Readonly<Record<string, number>> = { kernel: 2, boot: 3, static: 4 };
const SCOPES: Readonly<Record<string, number>> = { global: 0, link: 253, host: 254 };
const TABLES: Readonly<Record<string, number>> = { main: 254, local: 255 };
const RTAX_MTU = 2;
const RTAX_ADVMSS = 8;
const RTAX_CC_ALGO = 16;

/** Runs one command (without the word "ip") on the model. */
export function modelIp(kernel: ModelKernel, command: string): IpResult {
  const words = command.split(" ").filter((word) => word !== "" && word !== "-4" && word !== "-6");
  const [object, verb] = [words.shift(), words.shift()];
  try {
    switch (object) {
      case "route":
        return answered(kernel.route(routeRequest(kernel, verb, words)));
      case "link":
        return answered(link(kernel, verb, words));
      case "addr":
        return answered(addr(kernel, verb, words));
      default:
        throw new Error(`Cannot run "ip ${command}" on the model: unknown object`);
    }
  } catch (error) {
    if (error instanceof NoSuchDevice) return { errno: -1, message: null, text: error.message };
    throw error;
  }
}

/** Runs commands that must succeed. */
export function modelIpAll(kernel: ModelKernel, commands: readonly string[]): void {
  for (const command of commands) {
    const { text } = modelIp(kernel, command);
    if (text !== "") throw new Error(`Cannot ip ${command}: ${text}`);
  }
}

/** iproute2 looks names up by itself: such a command never reaches the kernel. */
class NoSuchDevice extends Error {}

function answered(answer: Answer): IpResult {
  const { errno, message } = answer;
  if (errno === 0) return { ...answer, text: "" };
  return {
    ...answer,
    text:
      message === null ? `RTNETLINK answers: ${strerror(errno)}` : `Error: ${message.replace(/\.?$/, ".")}`,
  };
}

/** The C library spells some errors otherwise than libuv, whose words errnoText() gives. */
function strerror(errno: number): string {
  const spelled: Readonly<Record<number, string>> = {
    17: "File exists",
    99: "Cannot assign requested address",
    113: "No route to host",
  };
  return spelled[errno] ?? errnoText(errno);
}

function device(kernel: ModelKernel, name: string | undefined): number {
  const found = kernel.links.byName(name ?? "");
  if (found === undefined) throw new NoSuchDevice(`Cannot find device "${name}"`);
  return found.ifindex;
}

function address(text: string | undefined): IpAddress {
  const parsed = parseIp(text ?? "");
  if (parsed === null) throw new Error(`Cannot read address "${text}"`);
  return parsed;
}

function prefix(text: string | undefined): Prefix {
  const [head, length] = (text === "default" ? "0.0.0.0/0" : (text ?? "")).split("/");
  const parsed = address(head);
  return { ...parsed, length: length === undefined ? maxLength(parsed.family) : Number(length) };
}

function named(names: Readonly<Record<string, number>>, word: string | undefined): number {
  return names[word ?? ""] ?? Number(word);
}

const OPERATIONS: Readonly<Record<string, RouteOperation>> = {
  add: "add",
  append: "append",
  prepend: "prepend",
  replace: "replace",
  change: "change",
  del: "delete",
};

function routeRequest(kernel: ModelKernel, verb: string | undefined, words: string[]): RouteRequest {
  const op = OPERATIONS[verb ?? ""];
  if (op === undefined) throw new Error(`Cannot run "ip route ${verb}" on the model`);
  const type = TYPES[words[0] ?? ""];
  if (type !== undefined) words.shift();
  const to = prefix(words.shift());
  const request: { -readonly [K in keyof RouteRequest]: RouteRequest[K] } = { op, prefix: to, table: 254 };
  if (type !== undefined) request.type = type;
  const metrics = new Map<number, number>();
  const multipath = words.indexOf("nexthop");
  const lists = multipath < 0 ? [] : words.splice(multipath).join(" ").split("nexthop").slice(1);
  const only = nexthop(kernel, words);
  const rest = only.rest;
  while (rest.length > 0) {
    const word = rest.shift();
    const value = rest.shift();
    if (word === "metric") request.metric = Number(value);
    else if (word === "table") request.table = named(TABLES, value);
    else if (word === "proto") request.protocol = named(PROTOCOLS, value);
    else if (word === "scope") request.scope = named(SCOPES, value);
    else if (word === "tos") request.tos = Number.parseInt(value ?? "0", 16);
    else if (word === "src") request.prefsrc = address(value);
    else if (word === "realm") request.flow = Number(value);
    else if (word === "mtu") metrics.set(RTAX_MTU, Number(value));
    else if (word === "advmss") metrics.set(RTAX_ADVMSS, Number(value));
    else if (word === "congctl") metrics.set(RTAX_CC_ALGO, congestionId(value ?? ""));
    else throw new Error(`Cannot read "${word}" of ip route`);
  }
  if (metrics.size > 0) request.metrics = metrics;
  if (only.hop !== null) request.nexthops = [only.hop];
  if (lists.length > 0) {
    request.nexthops = lists.map(
      (list) =>
        nexthop(
          kernel,
          list.split(" ").filter((word) => word !== ""),
        ).hop!,
    );
    if (op !== "delete") request.scope ??= 0;
  }
  return request;
}

/** Takes what belongs to a nexthop out of the words. */
function nexthop(
  kernel: ModelKernel,
  words: readonly string[],
): { readonly hop: RequestNexthop | null; readonly rest: string[] } {
  const hop: { -readonly [K in keyof RequestNexthop]: RequestNexthop[K] } = { gateway: null, device: 0 };
  const rest: string[] = [];
  let any = false;
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (word === "via") {
      if (words[i + 1] === "inet6" || words[i + 1] === "inet") i++;
      hop.gateway = address(words[++i]);
    } else if (word === "dev") hop.device = device(kernel, words[++i]);
    else if (word === "weight") hop.weight = Number(words[++i]);
    else if (word === "onlink") hop.onlink = true;
    else {
      rest.push(word);
      continue;
    }
    any = true;
  }
  return { hop: any ? hop : null, rest };
}

function link(kernel: ModelKernel, verb: string | undefined, words: string[]): Answer {
  const name = words.shift() ?? "";
  if (verb === "del") return kernel.removeLink(device(kernel, name));
  if (verb === "set") return setLink(kernel, device(kernel, name), words);
  if (verb !== "add") throw new Error(`Cannot run "ip link ${verb}" on the model`);
  const indexAt = words.indexOf("index");
  const options = indexAt < 0 ? {} : { ifindex: Number(words[indexAt + 1]) };
  const kind = words[words.indexOf("type") + 1]!;
  const taken = (other: string): boolean => kernel.links.byName(other) !== undefined;
  const peer = words[words.indexOf("peer") + 2]!;
  if (taken(name) || (kind === "veth" && taken(peer))) return { errno: 17, message: null };
  if (kind === "veth") kernel.addVeth(name, peer, options);
  else kernel.addLink({ ...options, name, kind });
  return { errno: 0, message: null };
}

function setLink(kernel: ModelKernel, ifindex: number, words: readonly string[]): Answer {
  switch (words[0]) {
    case "up":
      return kernel.setUp(ifindex);
    case "down":
      return kernel.setDown(ifindex);
    case "name":
      return kernel.rename(ifindex, words[1]!);
    case "master":
      return kernel.setMaster(ifindex, device(kernel, words[1]));
    case "nomaster":
      return kernel.setMaster(ifindex, 0);
    default:
      throw new Error(`Cannot run "ip link set … ${words.join(" ")}" on the model`);
  }
}

function addr(kernel: ModelKernel, verb: string | undefined, words: readonly string[]): Answer {
  const ifindex = device(kernel, words[words.indexOf("dev") + 1]);
  const { length: ownLength, ...local } = prefix(words[0]);
  const { length, ...peer } = words[1] === "peer" ? prefix(words[2]) : { length: ownLength };
  if (verb === "add") {
    return kernel.addAddress(ifindex, local, length, "family" in peer ? { peer } : {});
  }
  if (verb === "del") return kernel.removeAddress(ifindex, local, length);
  throw new Error(`Cannot run "ip addr ${verb}" on the model`);
}
