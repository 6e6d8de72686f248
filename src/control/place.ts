/**
 * One served connection: whose turn it is, since when, and how long that may last. Requests are answered one after the
 * other in the order they came, however many are sent at once.
 *
 *   request ──► body ──► work ──► answer ──► idle ──► request …        any state but work: krtd waits for the client
 *               (POST)    ▲  │      ▲
 *                         └──┴──────┘  a stream that its reader holds up
 *
 *   request, body   the deadline passed: 408
 *   idle            the deadline passed: closed
 *   answer          what is made was not read in time: dropped
 *   work            no deadline, but a client that left is not worked for
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../lib/clock.ts";
import { MeteredSocket } from "./metered-socket.ts";
import { requestTimeout } from "./raw-answer.ts";
import type { Turns } from "./turns.ts";

/** A client that has said all (shut down its side) while krtd works for it may wait for the answer, or be gone. */
const HALF_CLOSED_MS = 1_000;

export interface PlaceDeadlines {
  /** Until the request line and headers are complete. */
  readonly headersMs: number;
  /** From there until the body is complete. */
  readonly requestMs: number;
  /** Between requests. */
  readonly keepAliveMs: number;
  /** Until a finished answer has left. */
  readonly stallMs: number;
}

type State = "request" | "body" | "work" | "answer" | "idle";

interface Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly serve: () => void;
}

export interface PlaceOptions {
  readonly clock: Clock;
  readonly turns: Turns;
  readonly deadlines: PlaceDeadlines;
}

export class Place {
  readonly socket: MeteredSocket;
  private state: State = "request";
  private since: number;
  private closing = false;
  private served = false;
  /** Sent when all that was asked before is answered; the connection ends with it. */
  private lastWords: string | null = null;
  private current: Asked | null = null;
  private readonly queue: Asked[] = [];
  private readonly options: PlaceOptions;
  private cancel = (): void => {};

  constructor(raw: Socket, options: PlaceOptions) {
    this.options = options;
    this.since = options.clock.now();
    this.socket = new MeteredSocket(raw, options.turns, () => this.mayFeed());
    this.socket.on("arrived", () => {
      if (this.state === "idle") this.enter("request");
    });
    this.socket.on("half-closed", () => {
      if (this.state === "work") this.limit(HALF_CLOSED_MS, () => this.socket.destroy());
    });
    this.socket.on("close", () => {
      this.cancel();
      this.queue.length = 0;
    });
    this.enter("request");
  }

  /** How long the client has kept its place without doing anything with it, in ms; 0 while krtd works for it. */
  get silentMs(): number {
    return this.state === "work" ? 0 : this.options.clock.now() - this.since;
  }

  /** Serves a request when those before it are answered. */
  ask(request: IncomingMessage, response: ServerResponse, serve: () => void): void {
    const asked = { request, response, serve };
    if (this.current === null) this.begin(asked);
    else this.queue.push(asked);
  }

  /** The request is complete: now it is krtd's turn. */
  working(): void {
    this.enter("work");
    if (this.socket.ended) this.limit(HALF_CLOSED_MS, () => this.socket.destroy());
  }

  /** All is said; the client has to read it. */
  answered(): void {
    this.enter("answer");
  }

  /** Ends the connection with `text`, a whole HTTP message, as soon as that cannot be taken for another answer. */
  fail(text: string): void {
    const { current } = this;
    if (current === null || !isAnswering(current)) this.endWith(text);
    else this.lastWords = text;
  }

  /** Ends it now: with `text`, unless that could be taken for a part of an answer. */
  giveAway(text: string): void {
    if (this.current === null || !isAnswering(this.current)) this.endWith(text);
    else this.socket.destroy();
  }

  /** Whether it was served at least once, and is not about to end. */
  get hadItsTurn(): boolean {
    return this.served && !this.closing;
  }

  /** Ends it now, or after the answer that is on its way. */
  close(): void {
    this.closing = true;
    if (this.current === null) this.socket.destroy();
  }

  private begin(asked: Asked): void {
    this.current = asked;
    this.enter("body");
    asked.response.on("close", () => this.next());
    asked.serve();
  }

  private next(): void {
    this.current = null;
    this.served = true;
    if (this.socket.destroyed || this.socket.writableEnded) return;
    if (this.closing) {
      this.socket.destroy();
      return;
    }
    const asked = this.queue.shift();
    if (asked !== undefined) this.begin(asked);
    else if (this.lastWords !== null) this.endWith(this.lastWords);
    else {
      this.enter(this.socket.holds ? "request" : "idle");
      this.socket.feed();
    }
  }

  private endWith(text: string): void {
    this.socket.end(text);
    this.limit(this.options.deadlines.stallMs, () => this.socket.destroy());
  }

  private mayFeed(): boolean {
    return this.queue.length === 0 && (this.current === null || !this.current.request.complete);
  }

  private enter(state: State): void {
    this.state = state;
    this.since = this.options.clock.now();
    this.cancel();
    const { headersMs, requestMs, keepAliveMs, stallMs } = this.options.deadlines;
    const drop = (): void => void this.socket.destroy();
    if (state === "request") this.limit(headersMs, () => this.fail(requestTimeout(headersMs)));
    if (state === "body") this.limit(requestMs, () => this.fail(requestTimeout(requestMs)));
    if (state === "answer") this.limit(stallMs, drop);
    if (state === "idle") this.limit(keepAliveMs, drop);
  }

  private limit(ms: number, then: () => void): void {
    this.cancel();
    this.cancel = this.options.clock.after(ms, then);
  }
}

/** The request is complete, or was answered before it was. */
function isAnswering({ request, response }: Asked): boolean {
  return request.complete || response.headersSent;
}
