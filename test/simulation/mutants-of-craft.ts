/** What every such engine gets wrong once, each wrong again. */
import type { Mutant } from "./mutants.ts";

const RUN_TASK = "sdk/engine/run-task.ts";
const DRIVER = "sdk/engine/turn-driver.ts";
const TURN = "sdk/core/turn.ts";
const SWEEPER = "sdk/engine/sweeper.ts";
const TABLE = "sdk/adapters/dynamodb/table.ts";

export const CRAFT_MUTANTS: readonly Mutant[] = [
  {
    name: "condition dropped: batches overwrite each other",
    file: "sdk/adapters/dynamodb/history.ts",
    edits: [["putItem(table, item, ABSENT)", "putItem(table, item)"]],
  },
  {
    name: "condition dropped: claims overwrite each other",
    file: "sdk/adapters/dynamodb/attempts.ts",
    edits: [["putItem(table, attemptItem(row), ABSENT)", "putItem(table, attemptItem(row))"]],
  },
  {
    name: "dispatch before commit",
    file: DRIVER,
    edits: [
      ["await announce(this.ports, key, state, { from: batch.sequence, to: batch.sequence });", ""],
      [
        "const giveUpAt = this.owns",
        "await announce(this.ports, key, state, { from: batch.sequence, to: batch.sequence });\n    const giveUpAt = this.owns",
      ],
    ],
  },
  {
    name: "bodies enter before their start is committed",
    file: DRIVER,
    edits: [
      ["    this.afterCommit(draft, step);\n", ""],
      [
        "const giveUpAt = this.owns",
        "this.afterCommit(draft, step);\n    const giveUpAt = this.owns",
      ],
    ],
  },
  {
    name: "a lost race is not thrown away",
    file: RUN_TASK,
    edits: [
      [
        'case "lost":\n        await this.run.reload();',
        'case "lost":\n        await this.run.catchUp();',
      ],
    ],
  },
  {
    name: "local outcomes reach the code in another order than the log's",
    file: TURN,
    edits: [
      [
        "    this.events.push(event);\n",
        '    if (event.type === "ActivityCompleted" && event.local_activity) this.events.unshift(event);\n    else this.events.push(event);\n',
      ],
    ],
  },
  {
    name: "an event that is in the log is recorded again",
    file: TURN,
    edits: [
      ["if (this.state.positionOf(eventKey(announces)) !== undefined) continue;", "void eventKey;"],
    ],
  },
  {
    name: "the same attempt number after a crash",
    file: DRIVER,
    edits: [
      [
        "await draft.concludeInterrupted((...attempt) => this.bodies.isRunning(...attempt));",
        "for (const { sequence, attempt } of this.run.state.startedLocals())\n      if (!this.bodies.isRunning(sequence, attempt)) draft.starts.push({ sequence, attempt });",
      ],
    ],
  },
  {
    name: "the lease is not released at the end of a task",
    file: DRIVER,
    edits: [
      [
        "draft.batch(lease, host.newId())",
        "draft.batch(\n      state.closed ? null : (lease ?? this.lease(step.items, step.until)),\n      host.newId(),\n    )",
      ],
    ],
  },
  {
    name: "a page of the history is dropped",
    file: TABLE,
    edits: [["} while (after !== undefined);", "} while (after === null);"]],
  },
  {
    name: "a refused condition is fatal",
    file: TABLE,
    edits: [
      ['faultName(error) !== "ConditionalCheckFailedException"', 'faultName(error) !== "never"'],
    ],
  },
  {
    name: "a value that comes after the deadline is accepted",
    file: "sdk/engine/body.ts",
    edits: [["const late =", "const late = false &&"]],
    aims: [{ program: "hurry", profile: "storm" }],
  },
  {
    name: "a late completion wins over a cancel",
    file: "sdk/core/attempt.ts",
    edits: [["if (context.cancelRequested ||", "if ("]],
  },
  {
    name: "the outcome of an earlier attempt is accepted",
    file: "sdk/core/deliver.ts",
    edits: [
      [
        ' || activity.attempt !== announces.attempt)\n    return "void";\n  return concludeQueued',
        ')\n    return "void";\n  return concludeQueued',
      ],
    ],
    equivalent:
      "An attempt has a successor only behind its own outcome in the log, whose key is known from then on: its message is settled or in the log before it could be delivered. One of a later attempt meets a view that is behind, whose append loses.",
  },
  {
    name: "no clock margin",
    file: "sdk/core/limits.ts",
    edits: [["LEASE_MARGIN_MS = 3_000;", "LEASE_MARGIN_MS = 0;"]],
  },
  {
    name: "no closed check",
    file: RUN_TASK,
    edits: [["if (this.state.closed) return await this.finishClosed();", ""]],
  },
  {
    name: "a lease is renewed although that makes it no longer",
    file: DRIVER,
    edits: [["return gainMs < LEASE_RESERVE_MS ?", "return gainMs < -LEASE_RESERVE_MS ?"]],
  },
  {
    name: "a heartbeat that the store refuses fails the body",
    file: "sdk/engine/heartbeats.ts",
    edits: [
      [
        "private putBack(taken: PendingBeat): void {",
        'private putBack(taken: PendingBeat): void {\n    const refused = Object.assign(new Error("not recorded"), { name: "StoreRefused" });\n    for (const waiter of taken.waiters.splice(0)) waiter.reject(refused);',
      ],
    ],
  },
  {
    name: "check_at is off, and dead letters stay dead",
    file: SWEEPER,
    edits: [
      ["dead_letters: redriveDeadLetters", "dead_letters: async () => void redriveDeadLetters"],
      ["await ring(ports, row);", "void ring;"],
    ],
  },
  {
    name: "check_at is off, dead letters go back",
    file: SWEEPER,
    edits: [["await ring(ports, row);", "void ring;"]],
    aims: [{ program: "mixed", profile: "no-redelivery" }],
  },
  {
    name: "a timer's cancel is recorded before the timer",
    file: "sdk/core/replay.ts",
    edits: [["filter((sequence) => !this.unrecordedCommands.has(sequence))", "filter(() => true)"]],
    aims: [{ program: "patience", profile: "storm" }],
  },
  {
    name: "the namespace is left out of a key",
    file: "sdk/adapters/dynamodb/guards.ts",
    edits: [["pk: key(run.namespace, run.workflow_id),", "pk: key(run.workflow_id),"]],
  },
  {
    name: "a pointer to a blob is durable before the blob",
    file: "sdk/engine/payload-vault.ts",
    edits: [
      [
        "await this.blobs.put(blob, json);",
        "void this.blobs.put(blob, json).catch(() => undefined);",
      ],
    ],
  },
];
