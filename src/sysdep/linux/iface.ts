/**
 * Reads all links, then all addresses. The kernel flags these dumps when something changed under them
 * (NLM_F_DUMP_INTR): such a pass may show a link twice or not at all, so a pass is kept back until it is known
 * to be whole, and tried again a few times before what was seen last is handed over as incomplete.
 */

import type { Clock } from "../../lib/clock.ts";
import type { AddressInfo, InterfaceSink, LinkInfo, ScanOutcome } from "../os.ts";
import {
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_NEWADDR,
  RTM_NEWLINK,
} from "./netlink/constants.ts";
import type { NetlinkTransport } from "./netlink/transport.ts";
import { ADDRESS_DUMP_PAYLOAD, decodeAddress } from "./rtnetlink/address.ts";
import { decodeLink, LINK_DUMP_PAYLOAD } from "./rtnetlink/link.ts";
import { outcomeOf } from "./scan.ts";

const ATTEMPTS = 5;
const BACKOFF_MS = 50;

interface Pass {
  readonly links: readonly LinkInfo[];
  readonly addresses: readonly AddressInfo[];
  readonly outcome: ScanOutcome;
}

export class InterfaceScanner {
  /** Messages that could not be decoded, since the scanner was made. */
  malformed = 0;
  private readonly transport: NetlinkTransport;
  private readonly clock: Clock;

  constructor(transport: NetlinkTransport, clock: Clock) {
    this.transport = transport;
    this.clock = clock;
  }

  async scan(sink: InterfaceSink): Promise<ScanOutcome> {
    let pass = await this.pass();
    for (let attempt = 1; !pass.outcome.complete && attempt < ATTEMPTS; attempt++) {
      await new Promise<void>((resolve) => this.clock.after(BACKOFF_MS, resolve));
      pass = await this.pass();
    }
    await this.transport.catchUp();
    for (const link of pass.links) sink.link(link);
    for (const address of pass.addresses) sink.address(address);
    return pass.outcome;
  }

  private async pass(): Promise<Pass> {
    const links: LinkInfo[] = [];
    const addresses: AddressInfo[] = [];
    let undecoded = 0;
    const linkReply = await this.transport.dump(
      { type: RTM_GETLINK, payload: LINK_DUMP_PAYLOAD },
      (bytes, view, start, end, type) => {
        if (type !== RTM_NEWLINK || bytes[start] !== AF_UNSPEC) return;
        const link = decodeLink(bytes, view, start, end);
        if (link === null) undecoded++;
        else links.push(link);
      },
    );
    const linksSeen = outcomeOf(linkReply, undecoded);
    if (!linksSeen.complete) {
      this.malformed += undecoded;
      return { links, addresses, outcome: linksSeen };
    }
    const addressReply = await this.transport.dump(
      { type: RTM_GETADDR, payload: ADDRESS_DUMP_PAYLOAD },
      (bytes, view, start, end, type) => {
        if (type !== RTM_NEWADDR || (bytes[start] !== AF_INET && bytes[start] !== AF_INET6)) return;
        const address = decodeAddress(bytes, view, start, end);
        if (address === null) undecoded++;
        else addresses.push(address);
      },
    );
    this.malformed += undecoded;
    const outcome = outcomeOf(addressReply, undecoded);
    return {
      links,
      addresses,
      outcome: { ...outcome, messages: linksSeen.messages + outcome.messages },
    };
  }
}
