/**
 * Long work that many ask for: what is under way may have passed what they mean, so one more follows, the same for all
 * who ask meanwhile. However many ask, and however fast, no two run at a time.
 */

export class OneMore<T> {
  private running: Promise<T> | null = null;
  private next: Promise<T> | null = null;

  /** What was asked for last and has not ended, or null. */
  get latest(): Promise<T> | null {
    return this.next ?? this.running;
  }

  /** Settles as the work does that begins now, or when what is under way has ended. */
  run(work: () => Promise<T>): Promise<T> {
    if (this.running === null) {
      this.running = work().finally(() => {
        this.running = null;
      });
      return this.running;
    }
    const begin = (): Promise<T> => {
      this.next = null;
      return this.run(work);
    };
    this.next ??= this.running.then(begin, begin);
    return this.next;
  }
}
