/** What every such engine gets wrong once, each wrong again. */
import type { Mutant } from "./mutants.ts";

const RUN_TASK = "sdk/engine/run-task.ts";
const DRIVER = "sdk/engine/turn-driver.ts";
const ACTIVITY = "sdk/engine/activity-task.ts";
const SWEEPER = "sdk/engine/sweeper.ts";
const HISTORY = "sdk/adapters/dynamodb/history.ts";

export const CRAFT_MUTANTS: readonly Mutant[] = [
  {
    name: "no condition: batches overwrite each other",
    file: HISTORY,
    edits: [["putItem(table, item, ABSENT)", "putItem(table, item)"]],
  },
  {
    name: "dispatch before commit",
    file: DRIVER,
    edits: [
      [
        "    const giveUpAt = this.owns",
        "    await announce(this.ports, key, state, { from: batch.sequence, to: batch.sequence });\n    const giveUpAt = this.owns",
      ],
      [
        "    await announce(this.ports, key, state, { from: batch.sequence, to: batch.sequence });\n    // R6",
        "    // R6",
      ],
    ],
  },
  {
    name: "a lost race is not thrown away",
    file: RUN_TASK,
    edits: [
      [
        '      case "lost":\n        await this.run.reload();\n        return "again";',
        '      case "lost":\n        await this.run.catchUp();\n        return "again";',
      ],
    ],
  },
  {
    name: "the same attempt number after a crash",
    file: DRIVER,
    edits: [
      [
        "    await draft.concludeInterrupted((...attempt) => this.bodies.isRunning(...attempt));\n",
        "    for (const { sequence, attempt } of this.run.state.startedLocals())\n      if (!this.bodies.isRunning(sequence, attempt)) draft.starts.push({ sequence, attempt });\n",
      ],
    ],
  },
  {
    name: "the lease is not released at the end of a task",
    file: DRIVER,
    edits: [
      [
        "        : null;\n    const batch",
        "        : state.closed ? null : this.lease(step.items, step.until);\n    const batch",
      ],
    ],
  },
  {
    name: "a page of the history is dropped",
    file: "sdk/adapters/dynamodb/table.ts",
    edits: [
      [
        "  } while (after !== undefined);\n  return items;",
        "  } while (after === null);\n  return items;",
      ],
    ],
  },
  {
    name: "a refused condition is fatal",
    file: "sdk/adapters/dynamodb/table.ts",
    edits: [
      [
        'if (faultName(error) !== "ConditionalCheckFailedException") throw error;',
        'if (faultName(error) !== "") throw error;',
      ],
    ],
  },
  {
    name: "a value that comes after the deadline is accepted",
    file: "sdk/engine/body.ts",
    edits: [
      [
        'const late = host.now() >= body.deadline.at && end.kind !== "timed_out";',
        "const late = false;",
      ],
    ],
  },
  {
    name: "a late completion wins over a cancel",
    file: "sdk/core/attempt.ts",
    edits: [
      [
        'if (context.cancelRequested || ending.kind === "cancelled")',
        'if (ending.kind === "cancelled")',
      ],
    ],
  },
  {
    name: "no clock margin",
    file: "sdk/core/limits.ts",
    edits: [["export const LEASE_MARGIN_MS = 3_000;", "export const LEASE_MARGIN_MS = 0;"]],
  },
  {
    name: "no closed check",
    file: RUN_TASK,
    edits: [
      [
        "    if (this.state.closed) return await this.finishClosed();\n    if (!this.driver",
        "    if (!this.driver",
      ],
    ],
  },
  {
    name: "a lease is renewed although that makes it no longer",
    file: DRIVER,
    edits: [
      [
        "return gainMs < LEASE_RESERVE_MS ? Number.POSITIVE_INFINITY :",
        "return gainMs < -LEASE_RESERVE_MS ? Number.POSITIVE_INFINITY :",
      ],
    ],
  },
  {
    name: "a heartbeat that the store refuses fails the body",
    file: ACTIVITY,
    edits: [
      [
        "    if (!(error instanceof InfrastructureError)) throw error;\n    this.ports",
        "    throw error;\n    this.ports",
      ],
    ],
  },
  {
    name: "check_at is off, and dead letters stay dead",
    file: SWEEPER,
    edits: [
      [
        "const duties = { timers: sweepTimers, runs: sweepRuns, dead_letters: redriveDeadLetters };",
        "const duties = { timers: sweepTimers, starts: async () => void [sweepRuns, redriveDeadLetters] };",
      ],
    ],
  },
  {
    name: "a timer's cancel is recorded before the timer",
    file: "sdk/core/replay.ts",
    edits: [["filter((sequence) => !this.unrecordedCommands.has(sequence))", "filter(() => true)"]],
  },
];
