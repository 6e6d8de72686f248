/*
 * One hostile client of the control socket, as a process of its own so that it takes no time from the test that
 * measures: node control-attack.mjs SOCKET ATTACK. Goes on until it is ended. Plain JavaScript: Node 20 runs no
 * TypeScript.
 */

import { connect } from "node:net";

const [, , path, attack] = process.argv;

/** Keeps `count` connections: whatever ends is replaced after a moment. `begin` gets each new one. */
function keep(count, begin, pauseMs = 20) {
  const open = () => {
    const socket = connect({ path });
    socket.on("error", () => {});
    socket.on("connect", () => begin(socket));
    socket.on("close", () => setTimeout(open, pauseMs));
  };
  for (let i = 0; i < count; i++) open();
}

/** Writes `bytes` again and again, as fast as they are taken. */
function pour(socket, bytes) {
  const more = () => {
    if (!socket.destroyed && socket.writable) socket.write(bytes, () => setImmediate(more));
  };
  more();
}

/** A byte each 30 ms. */
function drip(socket, text) {
  let at = 0;
  const timer = setInterval(() => socket.write(text[at++ % text.length]), 30);
  socket.on("close", () => clearInterval(timer));
}

function read(socket) {
  socket.resume();
}

function get(target) {
  return `GET ${target} HTTP/1.1\r\nHost: k\r\n\r\n`;
}

const POST = "POST /v1/plan HTTP/1.1\r\nHost: k\r\n";
const MIB = 1024 * 1024;

const ATTACKS = {
  "500 connections that say nothing": () => keep(500, () => {}),
  "headers byte by byte": () =>
    keep(64, (socket) => drip(socket, "GET /v1/status HTTP/1.1\r\nX: yyyyyyyyyyyyyyyyyyyyyy")),
  "bodies byte by byte": () =>
    keep(64, (socket) => {
      socket.write(`${POST}Content-Length: 1000000\r\n\r\n`);
      drip(socket, " ");
    }),
  "half requests, then silence": () => keep(64, (socket) => socket.write("GET /v1/status HTTP/1.1\r\nHo")),
  garbage: () =>
    keep(64, (socket) => {
      read(socket);
      pour(socket, Buffer.from(Array.from({ length: 65_536 }, (_, i) => (i * 7919) & 255)));
    }),
  "floods of pipelined requests, answers read": () =>
    keep(64, (socket) => {
      read(socket);
      pour(socket, get("/v1/status").repeat(2_000));
    }),
  "floods of pipelined requests, answers not read": () =>
    keep(64, (socket) => pour(socket, get("/v1/routes").repeat(2_000))),
  "floods of tiny chunks": () =>
    keep(64, (socket) => {
      read(socket);
      socket.write(`${POST}Transfer-Encoding: chunked\r\n\r\n`);
      pour(socket, "1\r\n \r\n".repeat(20_000));
    }),
  "floods of headers": () =>
    keep(64, (socket) => {
      read(socket);
      socket.write("GET / HTTP/1.1\r\n");
      pour(socket, "a: b\r\n".repeat(20_000));
    }),
  "lengths of 4 GiB": () =>
    keep(64, (socket) => {
      read(socket);
      socket.write(`${POST}Content-Length: 4294967296\r\n\r\n`);
      pour(socket, Buffer.alloc(MIB));
    }),
  "bodies of 1 MiB of brackets": () =>
    keep(64, (socket) => {
      read(socket);
      socket.write(`${POST}Content-Length: ${MIB}\r\n\r\n${"[".repeat(MIB)}`);
    }),
  "1,000 connections that come and go": () => keep(1_000, (socket) => socket.destroy(), 0),
  "64 lists of all routes, never read": () => keep(64, (socket) => socket.write(get("/v1/routes"))),
  "64 lists of all routes, read": () =>
    keep(64, (socket) => {
      read(socket);
      socket.write(get("/v1/routes"));
    }),
  "64 lists of all routes, left in the middle": () =>
    keep(64, (socket) => {
      socket.write(get("/v1/routes"));
      socket.once("data", () => socket.destroy());
    }),
  "counts of all routes, not waited for": () =>
    keep(64, (socket) => {
      socket.write(get("/v1/routes?count&dev=none"));
      setTimeout(() => socket.destroy(), 20);
    }),
  "64 kernel dumps, never read": () => keep(64, (socket) => socket.write(get("/v1/kernel"))),
  "64 times explain": () =>
    keep(64, (socket) => {
      read(socket);
      pour(socket, get("/v1/explain?prefix=198.18.1.0/24"));
    }),
  "64 times diff": () =>
    keep(64, (socket) => {
      read(socket);
      pour(socket, get("/v1/diff"));
    }),
};

ATTACKS[attack]();
process.stdout.write("attacking\n");
