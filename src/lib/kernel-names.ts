/** Names of the kernel's numbers, as iproute2 ships them (rt_protos, rt_scopes, rt_tables) and linux/rtnetlink.h. */

const PROTOCOLS: Readonly<Record<number, string>> = {
  0: "unspec",
  1: "redirect",
  2: "kernel",
  3: "boot",
  4: "static",
  8: "gated",
  9: "ra",
  10: "mrt",
  11: "zebra",
  12: "bird",
  13: "dnrouted",
  14: "xorp",
  15: "ntk",
  16: "dhcp",
  17: "mrouted",
  18: "keepalived",
  42: "babel",
  84: "openr",
  186: "bgp",
  187: "isis",
  188: "ospf",
  189: "rip",
  192: "eigrp",
};

const SCOPES: Readonly<Record<number, string>> = {
  0: "global",
  200: "site",
  253: "link",
  254: "host",
  255: "nowhere",
};

const TYPES: readonly string[] = [
  "unspec",
  "unicast",
  "local",
  "broadcast",
  "anycast",
  "multicast",
  "blackhole",
  "unreachable",
  "prohibit",
  "throw",
  "nat",
];

const TABLES: Readonly<Record<string, number>> = { default: 253, main: 254, local: 255 };

/** rtm_protocol; the number itself when nobody named it. */
export function kernelProtocolName(protocol: number): string {
  return PROTOCOLS[protocol] ?? String(protocol);
}

/** The rtm_protocol of that name, or null. */
export function kernelProtocolNumber(name: string): number | null {
  return numberOf(PROTOCOLS, name);
}

/** The names of rtm_protocol that are known here. */
export function kernelProtocolNames(): string[] {
  return Object.values(PROTOCOLS);
}

export function scopeName(scope: number): string {
  return SCOPES[scope] ?? String(scope);
}

/** The rt_scope of that name, or null. */
export function scopeNumber(name: string): number | null {
  return numberOf(SCOPES, name);
}

export function scopeNames(): string[] {
  return Object.values(SCOPES);
}

/** rtm_type. */
export function kernelTypeName(type: number): string {
  return TYPES[type] ?? String(type);
}

/** The id of a kernel table given as main, local, default or a number; null when it is neither. */
export function kernelTableId(text: string): number | null {
  if (/^[0-9]{1,10}$/.test(text)) return Number(text);
  return Object.hasOwn(TABLES, text) ? TABLES[text]! : null;
}

/** The name of a kernel table id that every system has, or null. */
export function kernelTableName(id: number): string | null {
  return Object.keys(TABLES).find((name) => TABLES[name] === id) ?? null;
}

function numberOf(names: Readonly<Record<number, string>>, name: string): number | null {
  for (const [number, known] of Object.entries(names)) if (known === name) return Number(number);
  return null;
}
