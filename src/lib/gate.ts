/** Something that many wait for and that happens once. */
export class Gate {
  /** Resolves when the gate was opened. */
  readonly opened: Promise<void>;
  private release: () => void = () => {};

  constructor() {
    this.opened = new Promise((resolve) => {
      this.release = resolve;
    });
  }

  /** Idempotent. */
  open(): void {
    this.release();
  }
}
