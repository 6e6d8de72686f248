/** Something that many wait for and that happens once, or once more after each shutUntil(). */
export class Gate {
  private promise: Promise<void>;
  private release: () => void = () => {};

  constructor() {
    this.promise = this.shut();
  }

  /** Resolves when the gate was opened. */
  get opened(): Promise<void> {
    return this.promise;
  }

  /** Idempotent. */
  open(): void {
    this.release();
  }

  /** Whoever asks from now on waits until this has settled, or for open(). */
  shutUntil(settled: Promise<unknown>): void {
    this.release();
    this.promise = this.shut();
    const { release } = this;
    settled.then(release, release);
  }

  private shut(): Promise<void> {
    return new Promise((resolve) => {
      this.release = resolve;
    });
  }
}
