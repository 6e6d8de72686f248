/** Jobs that change what runs (start, reconfigure, a namespace that comes or goes, stop), one after the other. */
export class Jobs {
  private last: Promise<unknown> = Promise.resolve();

  /** Runs the job when all before it have ended, and settles as it does. */
  run<T>(job: () => Promise<T>): Promise<T> {
    const done = this.last.then(job);
    this.last = done.catch(() => {});
    return done;
  }
}
