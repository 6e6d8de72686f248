/**
 * `ip monitor route` as a witness: what the kernel told, in its order. A marker route in a table of its own is
 * set and seen at the start and at each question, so that nothing is missed and nobody has to sleep.
 */

import { spawn } from "node:child_process";
import { parseTimedLine, type TimedLine } from "../../bench/timed-line.ts";
import { lines } from "./families.ts";
import { type Netns, waitFor } from "./netns.ts";

/** Nobody's table. */
const MARKER_TABLE = 4_294_900_000;

const NOT_TOLD = [` table ${MARKER_TABLE} `, " proto kernel "];

export interface RouteMonitor extends AsyncDisposable {
  /**
   * Every event up to now, one a line (`ip -o -d monitor route`); removals begin with "Deleted". What the kernel
   * does of its own accord (local and connected routes, as an address ends its tentative time) is left out.
   */
  events(): Promise<string[]>;
  /** The same with the time at which each was told, in milliseconds with three decimals. */
  timed(): Promise<TimedLine[]>;
}

export async function monitorRoutes(ns: Netns): Promise<RouteMonitor> {
  const child = spawn("ip", ["-n", ns.name, "-ts", "-o", "-d", "monitor", "route"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  let markers = 0;
  const mark = async (): Promise<void> => {
    const marker = `192.88.99.${markers++ & 255}`;
    const from = text.length;
    const command = `blackhole ${marker} table ${MARKER_TABLE}`;
    await waitFor(`marker ${marker} in ip monitor`, async () => {
      await ns.tryIp(`route add ${command}`);
      await ns.tryIp(`route del ${command}`);
      return text.indexOf(`Deleted blackhole ${marker} `, from) >= 0;
    });
  };
  const dispose = async (): Promise<void> => {
    child.kill("SIGTERM");
    await closed;
  };
  try {
    await mark();
  } catch (error) {
    await dispose();
    throw error;
  }
  const timed = async (): Promise<TimedLine[]> => {
    await mark();
    return lines(text)
      .filter((line) => !NOT_TOLD.some((words) => line.includes(words)))
      .map(parseTimed);
  };
  return {
    timed,
    events: async () => (await timed()).map(({ line }) => line),
    [Symbol.asyncDispose]: dispose,
  };
}

function parseTimed(text: string): TimedLine {
  const told = parseTimedLine(text);
  if (told === null) throw new Error(`ip monitor without a time: ${text}`);
  return told;
}
