/** Predicates that workflow code waits for; looked at after every event. */
import { type Deferred, deferred } from "./deferred.ts";

interface Condition {
  readonly predicate: () => boolean;
  readonly wait: Deferred<void>;
}

export class Conditions {
  private open: Condition[] = [];
  private readonly call: (predicate: () => boolean) => boolean;

  /** @param call calls a predicate inside the workflow */
  constructor(call: (predicate: () => boolean) => boolean) {
    this.call = call;
  }

  get size(): number {
    return this.open.length;
  }

  wait(predicate: () => boolean): Promise<void> {
    return deferred((wait) => this.open.push({ predicate, wait }));
  }

  /** Settles what holds, or what throws. Answers whether anything was settled. */
  settle(): boolean {
    const before = this.open;
    this.open = [];
    const waiting = before.filter((condition) => !this.isSettled(condition));
    this.open = [...waiting, ...this.open];
    return waiting.length < before.length;
  }

  rejectAll(error: unknown): void {
    const conditions = this.open;
    this.open = [];
    for (const { wait } of conditions) wait.reject(error);
  }

  private isSettled({ predicate, wait }: Condition): boolean {
    try {
      if (!this.call(predicate)) return false;
      wait.resolve();
    } catch (error) {
      wait.reject(error);
    }
    return true;
  }
}
