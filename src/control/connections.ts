/**
 * Who is served. There are 64 places. When all are taken, a newcomer gets that of the client who has kept krtd waiting
 * the longest (no request yet, half a request, an answer not read), if that is half a second or more: those who connect
 * and say nothing cannot lock the operator out. Is there none, one who has been answered before is to leave after the
 * answer that is being made: those who ask without end cannot either. Else the newcomer is refused, at once and in words.
 *
 * A connection that got its last words lingers for a second: closed with bytes unread, it would be an error to a client
 * that still writes, and the words would not be seen.
 */

import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { rateLimited } from "../lib/rate-limit.ts";
import type { MeteredSocket } from "./metered-socket.ts";
import { Place, type PlaceDeadlines } from "./place.ts";
import { placeGivenAway, tooManyConnections } from "./raw-answer.ts";
import { Turns } from "./turns.ts";

/** Connections served at once. */
export const MAX_CONNECTIONS = 64;
/** More, while those who are to leave still get their answers. */
const LEAVING = 16;
/** A client may keep krtd waiting for so long even when others want its place. */
const PATIENCE_MS = 500;
const LINGER_MS = 1_000;
/** With more of them the oldest goes at once: descriptors are few on some systems (1,024). */
const MAX_LINGERING = 256;

export interface ConnectionsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly deadlines: PlaceDeadlines;
}

export class Connections {
  /** Shared by all that is done for clients. */
  readonly turns: Turns;
  private readonly options: ConnectionsOptions;
  private readonly log: Log;
  private readonly places = new Map<Duplex, Place>();
  private readonly lingering = new Map<Socket, () => void>();

  constructor(options: ConnectionsOptions) {
    this.options = options;
    this.turns = new Turns(options.clock);
    this.log = rateLimited(options.log, options.clock, { burst: 1, windowMs: 60_000 });
  }

  /** What the HTTP parser is to read of a new connection, or null: it was refused. */
  admit(raw: Socket): MeteredSocket | null {
    if (this.places.size >= MAX_CONNECTIONS && !this.giveAwayPlace() && !this.sendOneAway()) {
      this.log.warn("control connections refused: all places are taken", { places: MAX_CONNECTIONS });
      raw.on("error", () => {});
      raw.resume();
      raw.end(tooManyConnections(MAX_CONNECTIONS));
      this.linger(raw);
      return null;
    }
    const place = new Place(raw, { ...this.options, turns: this.turns });
    const { socket } = place;
    this.places.set(socket, place);
    socket.on("finish", () => {
      this.places.delete(socket);
      socket.discard();
      this.linger(raw);
    });
    socket.on("close", () => this.places.delete(socket));
    return socket;
  }

  /** That of a connection; undefined when it is being closed. */
  placeOf(socket: Duplex): Place | undefined {
    return this.places.get(socket);
  }

  /** Ends those who wait; answers on their way may end until destroy(). */
  close(): void {
    for (const place of this.places.values()) place.close();
    for (const raw of this.lingering.keys()) raw.destroy();
  }

  destroy(): void {
    for (const { socket } of this.places.values()) socket.destroy();
    for (const raw of this.lingering.keys()) raw.destroy();
  }

  /** False: everybody is at work, or was heard of just now. */
  private giveAwayPlace(): boolean {
    let longest = PATIENCE_MS;
    let chosen: Place | null = null;
    for (const place of this.places.values()) {
      if (place.silentMs < longest) continue;
      longest = place.silentMs;
      chosen = place;
    }
    if (chosen === null) return false;
    this.places.delete(chosen.socket);
    chosen.giveAway(placeGivenAway());
    return true;
  }

  /** Those who came first leave first. False: nobody has been answered yet, or enough are leaving. */
  private sendOneAway(): boolean {
    if (this.places.size >= MAX_CONNECTIONS + LEAVING) return false;
    for (const place of this.places.values()) {
      if (!place.hadItsTurn) continue;
      place.close();
      return true;
    }
    return false;
  }

  private linger(raw: Socket): void {
    const [oldest] = this.lingering.keys();
    if (this.lingering.size >= MAX_LINGERING) oldest?.destroy();
    const cancel = this.options.clock.after(LINGER_MS, () => raw.destroy());
    this.lingering.set(raw, cancel);
    raw.on("close", () => {
      cancel();
      this.lingering.delete(raw);
    });
  }
}
