/** In the place of a protocol whose network namespace is not there. */

import type { AbsentKernel, Protocol, ProtocolType } from "../nest/protocol.ts";

/** Stands for a protocol that cannot be made now. It is never started. */
export class AbsentProtocol implements Protocol {
  readonly channels: readonly [] = [];
  readonly name: string;
  readonly type: ProtocolType;
  readonly netns: string | null;
  readonly absentKernel?: AbsentKernel;
  private readonly why: () => string;

  constructor(
    name: string,
    type: ProtocolType,
    netns: string | null,
    why: () => string,
    absentKernel?: AbsentKernel,
  ) {
    this.name = name;
    this.type = type;
    this.netns = netns;
    this.why = why;
    if (absentKernel !== undefined) this.absentKernel = absentKernel;
  }

  async start(): Promise<void> {
    throw new Error(this.why());
  }

  async stop(): Promise<void> {}

  info(): string {
    return this.why();
  }
}
