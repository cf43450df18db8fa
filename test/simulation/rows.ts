/** The rows of queued attempts by the reference clock: who held which claim, and who concluded it. */
import { SORT_KEY } from "../../sdk/adapters/dynamodb/layout.ts";
import type { Item } from "../../sdk/testing/world/item.ts";
import { clocksAgree, type Writer } from "./leases.ts";

export interface RowsOptions {
  readonly now: () => number;
  /** Records a broken invariant. */
  readonly expect: (holds: boolean, invariant: string, what: () => string) => void;
}

interface Claim {
  /** By the reference clock; undefined when nobody has claimed the attempt. */
  until: number | undefined;
  writer: Writer;
  owner: unknown;
  /** By the reference clock. */
  concludedAt: number | undefined;
  outcome: Outcome | undefined;
}

interface Outcome {
  readonly kind: string;
  readonly timeoutKind: string | undefined;
}

type DeadlineKind = "schedule_to_start" | "schedule_to_close";

/** Of one run. */
export class Rows {
  readonly #options: RowsOptions;
  readonly #claims = new Map<string, Claim>();

  constructor(options: RowsOptions) {
    this.#options = options;
  }

  /** @param announced how many attempts of the activity the log has announced */
  note(item: Item, writer: Writer, announced: (sequence: number) => number): void {
    const sequence = Number.parseInt(String(item[SORT_KEY]), 10);
    const attempt = Number(item["attempt_number"]);
    const key = `${sequence}/${attempt}`;
    this.#options.expect(
      attempt <= announced(sequence),
      "X2",
      () => `attempt ${key} has a row, the log has announced ${announced(sequence)} attempts`,
    );
    const before = this.#claims.get(key);
    const claim: Claim = before ?? {
      until: undefined,
      writer,
      owner: undefined,
      concludedAt: undefined,
      outcome: undefined,
    };
    this.#claims.set(key, claim);
    const outcome = outcomeOf(item);
    if (outcome !== undefined) this.#conclude(key, claim, { outcome, writer });
    else this.#renew(key, claim, { item, writer });
  }

  /** Whether a worker, and not the deadline, has begun the first attempt: a fact for ever. */
  wasStarted(sequence: number): boolean {
    const claim = this.#claims.get(`${sequence}/1`);
    return claim !== undefined && !isDeadline(claim.outcome, "schedule_to_start");
  }

  /**
   * Whether some attempt had an outcome before the deadline, and was the current one, at a moment
   * since `since`. @param endOf when the log left an attempt behind; infinity while it has not
   */
  wasConcluded(
    sequence: number,
    attempts: number,
    moment: { readonly since: number; readonly endOf: (attempt: number) => number },
  ): boolean {
    return Array.from({ length: attempts }, (_, index) => index + 1).some((attempt) => {
      const claim = this.#claims.get(`${sequence}/${attempt}`);
      const isOther =
        claim?.outcome !== undefined && !isDeadline(claim.outcome, "schedule_to_close");
      return isOther && moment.endOf(attempt) >= moment.since;
    });
  }

  #renew(
    key: string,
    claim: Claim,
    { item, writer }: { readonly item: Item; readonly writer: Writer },
  ): void {
    this.#options.expect(
      claim.owner === undefined || claim.owner === item["lease_owner"],
      "I10",
      () => `the claim of attempt ${key} changes hands`,
    );
    claim.owner = item["lease_owner"];
    claim.writer = writer;
    claim.until = Number(item["lease_expires_at"]) - writer.skewMs;
  }

  /** No attempt is declared lost while its claim is live by the reference clock (X1); one conclusion (I2). */
  #conclude(
    key: string,
    claim: Claim,
    { outcome, writer }: { readonly outcome: Outcome; readonly writer: Writer },
  ): void {
    const { expect, now } = this.#options;
    if (claim.outcome !== undefined)
      return expect(
        claim.outcome.kind === outcome.kind,
        "I2",
        () => `attempt ${key} was concluded as ${claim.outcome?.kind}, now as ${outcome.kind}`,
      );
    claim.outcome = outcome;
    claim.concludedAt = now();
    const isLost = outcome.timeoutKind === "start_to_close" || outcome.timeoutKind === "heartbeat";
    if (!isLost || claim.until === undefined || claim.writer.process === writer.process) return;
    const restMs = claim.until - now();
    expect(
      restMs <= 0 || !clocksAgree(claim.writer, writer),
      "X1",
      () => `attempt ${key} is declared lost ${restMs} ms before its claim ends`,
    );
  }
}

function outcomeOf(item: Item): Outcome | undefined {
  const { outcome } = item;
  if (typeof outcome !== "string") return undefined;
  const parsed: unknown = JSON.parse(outcome);
  if (typeof parsed !== "object" || parsed === null || !("kind" in parsed)) return undefined;
  const timeoutKind = "timeout_kind" in parsed ? String(parsed.timeout_kind) : undefined;
  return { kind: String(parsed.kind), timeoutKind };
}

function isDeadline(outcome: Outcome | undefined, kind: DeadlineKind): boolean {
  return outcome?.kind === "timed_out" && outcome.timeoutKind === kind;
}
