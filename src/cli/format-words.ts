/** Words that several kinds of records are shown with. */

import type { Paint } from "./paint.ts";

export interface TextStyle {
  readonly paint: Paint;
  /** Aligned and with lines below, for a person. */
  readonly terminal: boolean;
  /** The terminal shows more than ASCII. */
  readonly unicode: boolean;
  /** Numbers instead of names. */
  readonly numeric: boolean;
  readonly now: () => number;
}

/** "2026-11-21T02:00:00Z": to the second, which is what people compare with logs. */
export function timeText(iso: string): string {
  return iso.replace(/\.[0-9]+Z$/, "Z");
}

/** "1 d 2 h", "5 min 3 s": the two largest units. */
export function ageText(seconds: number): string {
  const whole = Math.floor(seconds);
  const parts = [
    [Math.floor(whole / 86_400), "d"],
    [Math.floor(whole / 3600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [whole % 60, "s"],
  ] as const;
  const first = parts.findIndex(([value]) => value > 0);
  if (first < 0) return "0 s";
  return parts
    .slice(first, first + 2)
    .filter(([value]) => value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(" ");
}

/** A configuration goes away after `seconds`, and how to keep it. */
export function undoText(seconds: number): string {
  return `undone in ${ageText(seconds)} unless confirmed: krtctl configure confirm`;
}

/** The default route has a name, the same for both families. */
export function destinationText(dst: string): string {
  return dst === "0.0.0.0/0" || dst === "::/0" ? "default" : dst;
}
