/** Runs one case: starts its workflow, does its actions, waits for the end, and compares. */

import { ApiError, type WorkflowHandle } from "../../sdk/client.ts";
import { durationMs } from "../../sdk/core/duration.ts";
import { startMessage } from "../../sdk/engine/operations/start.ts";
import type { CrashHandle } from "../../sdk/testing/index.ts";
import { problems } from "../support/local-schema.ts";
import type { Action } from "./case-format.ts";
import { compare } from "./compare.ts";
import { resolveValue } from "./expressions.ts";
import { CaseFailure, type Finished } from "./finished.ts";
import type { Case } from "./load.ts";
import { type Bindings, matchValue } from "./matcher.ts";
import type { ProgramInput } from "./program.ts";
import type { Journal, Stage } from "./stage.ts";

/** Seconds of real time in which a case has to end where time is real. */
const REAL_SECONDS_MAX = 120;
/** Virtual seconds in which it has to end on `memory`, besides its own `advance` actions. */
const VIRTUAL_SECONDS_MAX = 1_200;
const LOOK_MS = 25;

/** @throws CaseFailure */
export async function runCase(one: Case, stage: Stage): Promise<void> {
  const run = new CaseRun(one, stage);
  if (one.program === undefined) return await run.actions(one.actions);
  const crashes = one.faults.map(({ crash }) => stage.platform.crash(crash));
  try {
    const finished = await run.workflow(one.program, crashes);
    await compare(one, finished, stage);
  } finally {
    for (const crash of crashes) crash.disarm();
    await run.leaveNothing();
  }
}

class CaseRun {
  readonly #case: Case;
  readonly #stage: Stage;
  readonly #journal: Journal | null;
  #handle: WorkflowHandle | undefined;
  #crashes: readonly CrashHandle[] = [];
  #bindings: Bindings = new Map();

  constructor(one: Case, stage: Stage) {
    this.#case = one;
    this.#stage = stage;
    this.#journal = stage.journal();
  }

  async workflow(
    program: NonNullable<Case["program"]>,
    crashes: readonly CrashHandle[],
  ): Promise<Finished> {
    const { platform } = this.#stage;
    const { flavour, input, wait, actions, afterwards, expect } = this.#case;
    this.#crashes = crashes;
    const before = this.#stage.target === "memory" ? platform.counts() : undefined;
    const given: ProgramInput = {
      program,
      flavour,
      input,
      journal: this.#journal?.folder ?? null,
    };
    const handle = await platform.client.start("conformance", {
      input: given,
      ...(wait === undefined ? {} : { wait }),
    });
    this.#handle = handle;
    await this.actions(actions);
    if (expect.status !== "open") await this.#untilClosed(handle);
    await this.actions(afterwards);
    const detail = await handle.describe();
    return { handle, detail, events: await handle.history(), journal: this.#journal, before };
  }

  async actions(actions: readonly Action[]): Promise<void> {
    for (const action of actions) await this.#act(action);
  }

  /** A run that the case leaves open ends with it. */
  async leaveNothing(): Promise<void> {
    if (this.#stage.target === "memory") return;
    await this.#handle?.terminate("the case is over").catch(() => undefined);
  }

  async #act(action: Action): Promise<void> {
    const { platform } = this.#stage;
    if (action.request !== undefined) return await this.#request(action.request);
    if (action.release !== undefined) this.#journal?.release(action.release);
    if (action.advance !== undefined) await platform.advance(milliseconds(action.advance));
    if (action.cold === true) this.#stage.cold?.();
    if (action.crashed === true)
      await this.#within(
        "the crash points of the case are reached",
        Promise.all(this.#crashes.map(({ reached }) => reached)),
      );
    if (action.until !== undefined) await this.#until(action.until);
    await this.#ask(action);
  }

  async #ask(action: Action): Promise<void> {
    const handle = this.#handle;
    if (handle === undefined) return;
    const { signal, cancel, terminate, query } = action;
    if (signal !== undefined) {
      const target = signal.id === undefined ? signal.name : { signal: signal.name, id: signal.id };
      await this.#refusable(signal.refused, () => handle.signal(target, ...(signal.args ?? [])));
    }
    if (cancel !== undefined)
      await this.#refusable(cancel.refused, () => handle.cancel(cancel.reason));
    if (terminate !== undefined)
      await this.#refusable(terminate.refused, () => handle.terminate(terminate.reason));
    if (query !== undefined)
      await this.#refusable(query.refused, async () => {
        const answer = await handle.query(query.name, ...(query.args ?? []));
        if (query.answer !== undefined) this.#expect(`query ${query.name}`, query.answer, answer);
      });
    if (action.deliver !== undefined)
      await this.#stage.platform.deliver(
        startMessage({
          namespace: "default",
          workflow_id: handle.id,
          run_id: handle.runId ?? "",
        }),
      );
  }

  async #refusable(code: string | undefined, call: () => Promise<unknown>): Promise<void> {
    const refused = await call().then(
      () => undefined,
      (error: unknown) => {
        if (error instanceof ApiError && code !== undefined) return error.code;
        throw error;
      },
    );
    if (refused !== code)
      throw new CaseFailure(
        this.#case,
        `expected to be refused with ${code}, got ${refused ?? "accepted"}`,
      );
  }

  async #request(request: NonNullable<Action["request"]>): Promise<void> {
    const { method, path, body, status = 200, answer, valid } = request;
    const address = path.replace("$WORKFLOW_ID", this.#handle?.id ?? "");
    const response = await this.#stage.platform.fetch(address, {
      ...(method === undefined ? {} : { method }),
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
    this.#expect(`the status of ${path}`, status, response.status);
    const given: unknown = await response.json();
    if (answer !== undefined) this.#expect(path, answer, given);
    if (valid === undefined) return;
    const wrong = problems({
      [valid.as]: resolveValue(`$answer.${valid.at ?? ""}`, { answer: given }),
    });
    if (wrong.length > 0)
      throw new CaseFailure(this.#case, `${path} is no ${valid.as}: ${JSON.stringify(wrong)}`);
  }

  #expect(what: string, pattern: unknown, actual: unknown): void {
    const match = matchValue(pattern, actual, this.#bindings, { path: what, whole: false });
    if (match.bindings !== undefined) {
      this.#bindings = match.bindings;
      return;
    }
    const { path, expected, actual: got } = match.mismatch;
    throw new CaseFailure(this.#case, `${path}: expected ${expected}, got ${got}`);
  }

  async #until(what: NonNullable<Action["until"]>): Promise<void> {
    const { event, entered, attempt, status } = what;
    const [type, fields] =
      event === undefined || typeof event === "string"
        ? [event, {}]
        : (Object.entries(event)[0] ?? ["", {}]);
    await this.#poll(JSON.stringify(what), async () => {
      if (entered !== undefined)
        return (this.#journal?.entered() ?? []).some(
          (one) => one.label === entered && (attempt === undefined || one.attempt === attempt),
        );
      if (status !== undefined) return (await this.#handle?.describe())?.status === status;
      const events = (await this.#handle?.history()) ?? [];
      return events.some(
        (one) =>
          one.type === type &&
          matchValue(fields, one.payload, new Map(), { path: "", whole: false }).bindings !==
            undefined,
      );
    });
  }

  async #untilClosed(handle: WorkflowHandle): Promise<void> {
    if (this.#stage.target !== "memory") {
      // How it ended is compared later.
      await handle.result({ timeout: REAL_SECONDS_MAX }).catch((error: unknown) => {
        if (error instanceof Error && error.name === "ResultTimeoutError")
          throw new CaseFailure(this.#case, `is open after ${REAL_SECONDS_MAX} s`);
      });
      return;
    }
    await this.#poll("the run is closed", async () => {
      const { status } = await handle.describe();
      return status !== "pending" && status !== "running";
    });
  }

  /** Looks again as time goes on: the platform's own, or the real one. */
  async #poll(what: string, holds: () => Promise<boolean>): Promise<void> {
    const { platform, target } = this.#stage;
    const isVirtual = target === "memory";
    let passed = 0;
    const limit = isVirtual ? VIRTUAL_SECONDS_MAX : REAL_SECONDS_MAX;
    for (let step = 0.1; !(await holds()); step = isVirtual ? step * 1.5 : LOOK_MS / 1_000) {
      if (passed > limit) {
        const events = (await this.#handle?.history()) ?? [];
        const seen = events.map(({ type }) => type).join(", ");
        const errors = (this.#stage.lines ?? []).filter(({ level }) => level === "error").slice(-1);
        const text = `waited ${limit} s in vain for: ${what}; seen: ${seen}`;
        throw new CaseFailure(
          this.#case,
          [text, ...errors.map((line) => JSON.stringify(line))].join("\n"),
        );
      }
      passed += step;
      if (isVirtual) await platform.advance({ milliseconds: Math.round(step * 1_000) });
      else await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  async #within(what: string, promise: Promise<unknown>): Promise<void> {
    let isThere = false;
    void promise.then(() => {
      isThere = true;
    });
    await this.#poll(what, async () => isThere);
  }
}

/** Case files write durations as authors do. */
export function milliseconds(duration: unknown): { readonly milliseconds: number } {
  const place = { where: "the case", option: "duration" };
  return { milliseconds: durationMs(duration, place) };
}
