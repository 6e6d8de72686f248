/** Sequence numbers: 32 bits, unique among what is under way, never 0 (the kernel's own events carry 0). */

export class Sequences {
  private following = 1;

  /** Reserves `count` consecutive numbers and returns the first. */
  reserve(count: number): number {
    if (this.following + count > 0xffffffff) this.following = 1;
    const first = this.following;
    this.following += count;
    return first;
  }
}
