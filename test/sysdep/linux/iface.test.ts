/** Interface scans: whole passes only, and another try when the kernel's data changed under one. */

import { describe, expect, it } from "vitest";
import { InterfaceScanner } from "../../../src/sysdep/linux/iface.ts";
import {
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_NEWADDR,
  RTM_NEWLINK,
} from "../../../src/sysdep/linux/netlink/constants.ts";
import { JumpingClock } from "../../support/fake-netlink-socket.ts";
import { type FakeDump, FakeTransport } from "../../support/fake-transport.ts";
import { capturedMessages } from "../../support/netlink-fixtures.ts";

const links = capturedMessages("links").map(({ bytes }) => ({ type: RTM_NEWLINK, payload: bytes }));
const addresses = capturedMessages("addresses").map(({ bytes }) => ({ type: RTM_NEWADDR, payload: bytes }));
const link = links.find(({ payload }) => payload[0] === 0)!;
const address = addresses.find(({ payload }) => payload[0] === 2 || payload[0] === 10)!;

async function scan(answers: (type: number, index: number) => FakeDump) {
  const transport = new FakeTransport();
  const clock = new JumpingClock();
  transport.answerDump = ({ type }, index) => answers(type, index);
  const scanner = new InterfaceScanner(transport, clock);
  const seen: string[] = [];
  const outcome = await scanner.scan({
    link: ({ name }) => seen.push(`link ${name}`),
    address: ({ ifindex }) => seen.push(`address ${ifindex}`),
  });
  return { outcome, seen, waited: clock.time, dumps: transport.dumps.map(({ type }) => type), scanner };
}

const whole = (type: number): FakeDump => ({ messages: type === RTM_GETLINK ? [link] : [address] });
const interrupted = { complete: false, interrupted: true, reason: "changed" };

describe("InterfaceScanner", () => {
  it("reads links, then addresses", async () => {
    const { outcome, seen, dumps } = await scan(whole);
    expect(outcome).toEqual({ complete: true, reason: null, messages: 2 });
    expect(dumps).toEqual([RTM_GETLINK, RTM_GETADDR]);
    expect(seen.map((line) => line.split(" ")[0])).toEqual(["link", "address"]);
  });

  it("starts over when a dump was interrupted, and shows nothing of the broken passes", async () => {
    const { outcome, seen, dumps, waited } = await scan((type, index) =>
      index === 0 || index === 2 ? { ...whole(type), reply: interrupted } : whole(type),
    );
    expect(dumps).toEqual([RTM_GETLINK, RTM_GETLINK, RTM_GETADDR, RTM_GETLINK, RTM_GETADDR]);
    expect([outcome.complete, seen.length, waited]).toEqual([true, 2, 100]);
  });

  it("hands over the fifth pass as incomplete when none was whole", async () => {
    const { outcome, seen, dumps, waited } = await scan((type) => ({ ...whole(type), reply: interrupted }));
    expect(outcome).toMatchObject({ complete: false, reason: "changed" });
    expect([dumps.length, seen.length, waited]).toEqual([5, 1, 200]);
  });

  it("is incomplete when a message could not be decoded", async () => {
    const { outcome, scanner } = await scan(() => ({
      messages: [{ type: RTM_NEWLINK, payload: new Uint8Array(6) }],
    }));
    expect(outcome).toMatchObject({ complete: false, reason: "1 messages could not be decoded" });
    expect(scanner.malformed).toBe(5);
  });
});
