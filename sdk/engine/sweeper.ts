/**
 * The last net, once a minute: late timers to the queue, starts whose message never left, open runs
 * whose alarm is missing, dead letters back to their queues. Each duty is independent of the others.
 */
import { openDispatches, wakeUp } from "../core/dispatch.ts";
import type { Batch } from "../core/events.ts";
import { isTerminal } from "../core/events.ts";
import {
  CHECK_MS_FIRST,
  CHECK_MS_MAX,
  LEASE_MARGIN_MS,
  PENDING_START_MS,
  QUEUE_DELAY_MS_MAX,
} from "../core/limits.ts";
import { RunState } from "../core/run.ts";
import { closingOfEvent } from "../core/views/closing.ts";
import type { DeadLetter } from "../ports/dead-letters.ts";
import type { Ports } from "../ports/ports.ts";
import type { RunRow } from "../ports/runs.ts";
import { send } from "./dispatch.ts";
import { startMessage } from "./operations/start.ts";
import { foldTotals } from "./totals.ts";

/** Entries and runs of one pass; what is left is due in the next one. */
const PER_PASS_MAX = 500;
/** Items that are worked at the same time. */
const TOGETHER_MAX = 10;

export async function sweep(ports: Ports): Promise<void> {
  const duties = {
    timers: sweepTimers,
    runs: sweepRuns,
    dead_letters: redriveDeadLetters,
    totals: foldTotals,
  };
  for (const [duty, run] of Object.entries(duties)) {
    try {
      await run(ports);
    } catch (error) {
      ports.telemetry.error("a duty of the sweeper failed; the next pass tries again", {
        duty,
        error: String(error),
      });
    }
  }
}

/** Timers that the queue can delay by now leave the table: sent first, then removed. */
async function sweepTimers(ports: Ports): Promise<void> {
  const entries = await ports.timers.due(
    ports.namespace,
    ports.host.now() + QUEUE_DELAY_MS_MAX,
    PER_PASS_MAX,
  );
  await eachApart(ports, "timer", entries, async (entry) => {
    const delayMs = Math.max(0, Math.min(QUEUE_DELAY_MS_MAX, entry.due - ports.host.now()));
    await ports.queue.send([{ message: entry.message, delayMs }]);
    await ports.timers.remove(entry);
  });
}

/** Works items some at a time; one that fails stops none of the others. */
async function eachApart<T>(
  ports: Ports,
  what: string,
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  for (let index = 0; index < items.length; index += TOGETHER_MAX) {
    const together = items.slice(index, index + TOGETHER_MAX).map(async (item) => {
      try {
        await work(item);
      } catch (error) {
        ports.telemetry.error("the sweeper could not repair one item; the next pass tries again", {
          what,
          error: String(error),
        });
      }
    });
    await Promise.all(together);
  }
}

async function sweepRuns(ports: Ports): Promise<void> {
  const due = await ports.runs.dueChecks(ports.namespace, ports.host.now(), PER_PASS_MAX);
  await eachApart(ports, "run", due, (row) => checkRun(ports, row));
}

/** One run whose look is due: repaired when closed, its start sent again when pending, else rung. */
async function checkRun(ports: Ports, row: RunRow): Promise<void> {
  const tail = await ports.history.readTail(row);
  if (tail?.closed === true) return await repair(ports, row, tail);
  if (row.status === "pending") await send(ports, [{ message: startMessage(row) }]);
  else if (tail === undefined || !leaseLives(ports, tail)) await ring(ports, row);
  await moveOn(ports, row);
}

async function repair(ports: Ports, row: RunRow, tail: Batch): Promise<void> {
  const terminal = tail.events.find(isTerminal);
  if (terminal !== undefined) {
    const { counters } = tail;
    await ports.runs.markClosed(row, { ...closingOfEvent(terminal), counters });
  }
}

function leaseLives(ports: Ports, tail: Batch): boolean {
  return tail.lease !== null && tail.lease.until + LEASE_MARGIN_MS > ports.host.now();
}

/**
 * Makes "no open run without a durable alarm" true again (I14): a task looks at the log, and what
 * was announced long ago and has no answer is sent again. Repeats are harmless.
 */
async function ring(ports: Ports, row: RunRow): Promise<void> {
  const now = ports.host.now();
  const run = { namespace: row.namespace, workflow_id: row.workflow_id, run_id: row.run_id };
  const state = new RunState();
  for (const batch of await ports.history.readFrom(run, 1)) state.apply(batch);
  if (state.closed) return;
  const claimed = new Set(
    (await ports.attempts.ofRun(run))
      .filter((attempt) => attempt.outcome === undefined && attempt.until > now)
      .map(nameOf),
  );
  const overdue = openDispatches(run, state, 1, state.next).filter(({ message, due }) => {
    if (message.type === "activity_task" && claimed.has(nameOf(message))) return false;
    return (due ?? 0) <= now;
  });
  await send(ports, [
    ...overdue.map(({ message }) => ({ message })),
    { message: wakeUp(run, { kind: "check", at: now }, 0) },
  ]);
}

function nameOf(attempt: { readonly sequence: number; readonly attempt: number }): string {
  return `${attempt.sequence}/${attempt.attempt}`;
}

async function moveOn(ports: Ports, row: RunRow): Promise<void> {
  if (row.check_at === undefined) return;
  const everyMs =
    row.status === "pending"
      ? PENDING_START_MS
      : Math.min(CHECK_MS_MAX, (row.check_every_ms ?? CHECK_MS_FIRST) * 2);
  await ports.runs.moveCheck(row, row.check_at, ports.host.now() + everyMs, everyMs);
}

/** A dead letter may be the alarm of an open turn: it goes back, and its run shows what happened. */
async function redriveDeadLetters(ports: Ports): Promise<void> {
  for (let redriven = 0; redriven < PER_PASS_MAX; ) {
    const letters = await ports.deadLetters.receive();
    if (letters.length === 0) return;
    await redrive(ports, letters);
    redriven += letters.length;
  }
}

async function redrive(ports: Ports, letters: readonly DeadLetter[]): Promise<void> {
  for (const letter of letters) {
    if (letter.message === undefined) {
      ports.telemetry.error("a dead letter is not a message of Pawl and stays in its queue", {
        queue: letter.deadLetterQueueUrl,
      });
      continue;
    }
    const { namespace, workflow_id, run_id, message_id } = letter.message;
    ports.telemetry.warn("a dead letter is sent back to its queue", {
      workflow_id,
      run_id,
      message_id,
    });
    const row = await ports.runs.get({ namespace, workflow_id, run_id });
    if (row?.task_failure === undefined && row?.closed_at === undefined && row !== undefined) {
      const message = `message ${message_id} was delivered too often without being worked; it was sent back to its queue`;
      await ports.runs.setTaskFailure(row, {
        code: "dead_lettered",
        message,
        at: ports.host.now(),
        count: 1,
      });
    }
    await ports.deadLetters.redrive(letter);
  }
}
