/** What a finished case is compared with: its own expectations, and what holds for every run. */
import { isDeepStrictEqual } from "node:util";
import type { EventView, Outcome } from "../../sdk/core/api.ts";
import { durationMs } from "../../sdk/core/duration.ts";
import { PawlError } from "../../sdk/index.ts";
import { difference, replayHistory } from "../../sdk/testing/index.ts";
import { historyProblems } from "../support/local-schema.ts";
import * as entry from "./entry.ts";
import { CaseFailure, type Finished } from "./finished.ts";
import { matchHistory } from "./history-matcher.ts";
import type { Case } from "./load.ts";
import { type Bindings, type Match, matchValue } from "./matcher.ts";
import type { Stage } from "./stage.ts";

/** @throws CaseFailure naming the first thing that differs */
export async function compare(one: Case, finished: Finished, stage: Stage): Promise<void> {
  const comparison = new Comparison(one, finished, stage);
  comparison.outcome();
  comparison.history();
  comparison.activities();
  comparison.counts();
  await comparison.diagnostics();
  comparison.elapsed();
  await comparison.laws();
  await comparison.divergence();
  await comparison.queries();
}

const LOOK_MS = 50;
const LOOKS_MAX = 100;

class Comparison {
  readonly #case: Case;
  readonly #finished: Finished;
  readonly #stage: Stage;
  #bindings: Bindings;

  constructor(one: Case, finished: Finished, stage: Stage) {
    this.#case = one;
    this.#finished = finished;
    this.#stage = stage;
    const local = one.flavour !== "regular";
    this.#bindings = new Map<string, unknown>([
      ["MODE", local ? "local" : "queued"],
      ["LOCAL", local],
      ["RUN_ID", finished.detail.run_id],
      ["WORKFLOW_ID", finished.handle.id],
    ]);
  }

  outcome(): void {
    const { expect } = this.#case;
    const { detail } = this.#finished;
    const { outcome } = detail;
    const wanted = expect.status ?? statusOf(this.#case);
    const is = detail.status === "pending" || detail.status === "running" ? "open" : detail.status;
    if (is !== wanted) this.#fail(`status: expected ${wanted}, got ${is}${reasonOf(outcome)}`);
    if (Object.hasOwn(expect, "result") && outcome?.status === "completed")
      this.#match("result", expect.result, outcome.result, true);
    if (expect.failure !== undefined && outcome?.status === "failed")
      this.#match("failure", expect.failure, outcome.failure);
  }

  history(): void {
    const { history } = this.#case;
    if (history === undefined) return;
    // How often a lease is renewed, and under whose, is a matter of time: shown only when asked for.
    const named = new Set(history.flatMap((one) => (one.kind === "event" ? [one.type] : [])));
    const events = this.#finished.events.filter(
      ({ type }) => named.has(type) || !BOOKKEEPING.has(type),
    );
    const match = matchHistory(history, events, this.#bindings);
    if ("bindings" in match) this.#bindings = match.bindings;
    else this.#fail(`history: ${match.failure.text}`, match.failure.line);
  }

  activities(): void {
    const { activities } = this.#case.expect;
    if (activities === undefined) return;
    const all = this.#finished.detail.activities;
    const bySequence = Object.fromEntries(all.map((one) => [one.sequence, one]));
    this.#match("activities", activities, Array.isArray(activities) ? all : bySequence);
  }

  counts(): void {
    const { bodies, invocations, messages, writes } = this.#case.expect.counts ?? {};
    const { before, journal } = this.#finished;
    if (bodies !== undefined && journal !== null)
      this.#match("counts.bodies", bodies, this.#bodies());
    // Only a platform of the case's own has counts of its own.
    if (before === undefined) return;
    const {
      invocations: invoked,
      queue,
      store,
    } = difference(before, this.#stage.platform.counts());
    const sent = Object.entries(queue).map(([name, { messages: count }]) => [name, count] as const);
    const written = Object.entries(store).map(
      ([name, { writes: count }]) => [name, count] as const,
    );
    this.#match("counts.invocations", invocations ?? {}, invoked);
    this.#matchCounts("counts.messages", messages, new Map(sent));
    this.#matchCounts("counts.writes", writes, new Map(written));
  }

  /** By label: entries in all, or by attempt where the case asks for that. */
  #bodies(): Readonly<Record<string, unknown>> {
    const wanted = this.#case.expect.counts?.bodies ?? {};
    const entered = this.#entered();
    const labels = new Set([...Object.keys(wanted), ...entered.map(({ label }) => label)]);
    return Object.fromEntries(
      [...labels].map((label) => {
        const own = entered.filter((body) => body.label === label);
        if (typeof wanted[label] !== "object") return [label, own.length];
        const attempts = [...new Set(own.map(({ attempt }) => attempt))];
        const count = (attempt: number) => own.filter((body) => body.attempt === attempt).length;
        return [label, Object.fromEntries(attempts.map((attempt) => [attempt, count(attempt)]))];
      }),
    );
  }

  #matchCounts(
    what: string,
    wanted: Readonly<Record<string, unknown>> = {},
    counted: ReadonlyMap<string, number>,
  ): void {
    // What did nothing is absent from the counts.
    const actual = Object.keys(wanted).map((name) => [name, counted.get(name) ?? 0]);
    this.#match(what, wanted, Object.fromEntries(actual));
  }

  async diagnostics(): Promise<void> {
    const { lines, target } = this.#stage;
    if (lines === null) return;
    for (const { message, level, fields = {} } of this.#case.expect.diagnostics ?? []) {
      const pattern = { ...fields, message, ...(level === undefined ? {} : { level }) };
      const isThere = () => lines.some((line) => this.#matches(pattern, line));
      // What a process prints comes behind what it answers.
      for (let look = 0; look < LOOKS_MAX && target !== "memory" && !isThere(); look++)
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      if (!isThere()) this.#fail(`diagnostics: no line is like ${JSON.stringify(pattern)}`);
    }
  }

  elapsed(): void {
    for (const { from, to, at_least, at_most } of this.#case.expect.elapsed ?? []) {
      const took = this.#time(to) - this.#time(from);
      const what = `elapsed from ${from} to ${to}`;
      if (at_least !== undefined && took < msOf(at_least))
        this.#fail(`${what}: expected at least ${JSON.stringify(at_least)}, got ${took} ms`);
      // How long real processes take is no part of a case.
      const isVirtual = this.#stage.target === "memory";
      if (isVirtual && at_most !== undefined && took > msOf(at_most))
        this.#fail(`${what}: expected at most ${JSON.stringify(at_most)}, got ${took} ms`);
    }
  }

  /** What holds for every run, whatever a case says. */
  async laws(): Promise<void> {
    const { events, handle } = this.#finished;
    for (const [index, event] of events.entries()) {
      if (event.sequence !== index + 1)
        this.#fail(`the history has a gap: event ${index + 1} has the sequence ${event.sequence}`);
      const broken = brokenMarker(event);
      if (broken !== undefined) this.#fail(`event ${event.sequence} (${event.type}) ${broken}`);
    }
    const closing = events.findIndex(({ type }) => CLOSING.has(type));
    if (closing >= 0 && closing < events.length - 1)
      this.#fail(`event ${closing + 2} stands behind the run's end`);
    this.#onceEntered();
    const invalid = historyProblems(events);
    if (invalid.length > 0)
      this.#fail(`the history is not as its schema: ${JSON.stringify(invalid)}`);
    await replayHistory({ ...entry }, { history_events: events });
    if (!this.#asksMore()) return;
    const { history_events } = await handle.export();
    const plain = ({ sequence, type, payload, recorded_at }: EventView) => [
      ...[sequence, type, payload, recorded_at],
    ];
    if (!isDeepStrictEqual(history_events.map(plain), events.map(plain)))
      this.#fail("the export differs from the history");
  }

  /** Requests cost real time where time is real: there, only cases that ask queries make more of them. */
  #asksMore(): boolean {
    return this.#stage.target === "memory" || this.#case.expect.queries !== undefined;
  }

  /** What code says that calls the same activities in another way. */
  async divergence(): Promise<void> {
    const { diverges } = this.#case.expect;
    if (diverges === undefined) return;
    const [started, ...others] = this.#finished.events;
    if (started === undefined) return;
    const input: unknown = started.payload["input"];
    const payload = { ...started.payload, input: { ...Object(input), flavour: diverges.flavour } };
    const other = { history_events: [{ ...started, payload }, ...others] };
    const code = await replayHistory({ ...entry }, other).then(
      () => "nothing",
      (error: unknown) => (error instanceof PawlError ? error.code : String(error)),
    );
    if (code !== diverges.code)
      this.#fail(`diverges: expected ${diverges.code}, got ${code} as ${diverges.flavour}`);
  }

  /** At most one entry of a body for each attempt of an activity. */
  #onceEntered(): void {
    const seen = new Set<string>();
    for (const { activity_id, attempt, label } of this.#entered()) {
      if (activity_id === null) continue;
      // A nested call has the id and the attempt of its parent.
      const key = `${activity_id} ${attempt} ${label}`;
      if (seen.has(key)) this.#fail(`attempt ${attempt} of ${label} was entered twice`);
      seen.add(key);
    }
  }

  /** Queries answer from the history: no body runs, and nothing is appended. */
  async queries(): Promise<void> {
    if (!this.#asksMore()) return;
    const { handle, events } = this.#finished;
    const before = this.#entered().length;
    for (const { name, args = [], answer } of this.#case.expect.queries ?? [])
      this.#match(`query ${name}`, answer, await handle.query(name, ...args));
    await handle.query(entry.present);
    if (this.#entered().length !== before)
      this.#fail("a query has entered the body of an activity");
    const { status, history_length } = await handle.describe();
    const isOpen = status === "pending" || status === "running";
    if (!isOpen && history_length !== events.length) this.#fail("a query has appended an event");
  }

  #entered() {
    const { journal, detail } = this.#finished;
    return (journal?.entered() ?? []).filter(({ run_id }) => run_id === detail.run_id);
  }

  #time(variable: string): number {
    const at = this.#bindings.get(variable);
    const ms = typeof at === "string" ? Date.parse(at) : Number.NaN;
    if (Number.isNaN(ms)) this.#fail(`elapsed: ${variable} is no time: ${JSON.stringify(at)}`);
    return ms;
  }

  #matches(pattern: unknown, actual: unknown): boolean {
    const match = matchValue(pattern, actual, this.#bindings, { path: "", whole: false });
    return match.bindings !== undefined;
  }

  #match(what: string, pattern: unknown, actual: unknown, whole: boolean = false): void {
    const match: Match = matchValue(pattern, actual, this.#bindings, { path: what, whole });
    if (match.bindings !== undefined) {
      this.#bindings = match.bindings;
      return;
    }
    const { path, expected, actual: got } = match.mismatch;
    this.#fail(`${path}: expected ${expected}, got ${got}`);
  }

  #fail(text: string, line?: number): never {
    const events = this.#finished.events.map(({ sequence, type }) => `    ${sequence}. ${type}`);
    const seen = text.startsWith("history") ? "" : `\n  its history:\n${events.join("\n")}`;
    throw new CaseFailure(this.#case, `  ${text}${seen}`, line);
  }
}

const BOOKKEEPING: ReadonlySet<string> = new Set(["LeaseRenewed", "ActivityRetryDue"]);

const CLOSING: ReadonlySet<string> = new Set([
  "WorkflowCompleted",
  "WorkflowFailed",
  "WorkflowCancelled",
  "WorkflowTerminated",
]);

/** What a case says of its end without naming a status. */
function statusOf({ expect }: Case): string {
  return expect.failure === undefined ? "completed" : "failed";
}

function reasonOf(outcome: Outcome | null): string {
  return outcome?.status === "failed" ? ` (${JSON.stringify(outcome.failure)})` : "";
}

/** S-01: every event of an activity says how it is executed, and both marks agree. */
function brokenMarker({ type, payload }: EventView): string | undefined {
  if (!type.startsWith("Activity")) return undefined;
  const { execution_mode, local_activity } = payload;
  if (execution_mode !== "local" && execution_mode !== "queued") return "has no execution_mode";
  if (local_activity !== (execution_mode === "local")) return "has no local_activity that fits";
  return undefined;
}

function msOf(duration: unknown): number {
  return durationMs(duration, { where: "the case", option: "duration" });
}
