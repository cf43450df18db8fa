/** The rules of the commit protocol, each one off. */
import type { Mutant } from "./mutants.ts";

const RUN_TASK = "sdk/engine/run-task.ts";
const DRIVER = "sdk/engine/turn-driver.ts";
const DELIVER_OPERATION = "sdk/engine/operations/deliver.ts";
const START_OPERATION = "sdk/engine/operations/start.ts";
const ACTIVITY = "sdk/engine/activity-task.ts";
const SWEEPER = "sdk/engine/sweeper.ts";
const HISTORY = "sdk/adapters/dynamodb/history.ts";
const ATTEMPTS = "sdk/adapters/dynamodb/attempts.ts";

export const RULE_MUTANTS: readonly Mutant[] = [
  {
    name: "R1 own event: a settled message works for others' events",
    file: RUN_TASK,
    edits: [
      [
        "      if (turn === undefined && !position.selfContained) continue;\n",
        "      if (turn === undefined && !position.selfContained) continue;\n      if ((await this.run.replay(() => this.startedEvent())).wantsSomething()) continue;\n",
      ],
    ],
  },
  {
    name: "R2 settled: deleted without sending open dispatches again",
    file: RUN_TASK,
    edits: [
      [
        "      await this.sendOpen(\n        Math.min(position.batch, turn?.from ?? position.batch),\n        turn?.to ?? position.batch,\n      );\n",
        "",
      ],
    ],
  },
  {
    name: "R2 inert: an event that asked for nothing opens a turn later",
    file: RUN_TASK,
    edits: [
      [
        "    if (this.state.turnFrom !== null) return undefined;\n    const known",
        "    if (this.state.next > 0) return undefined;\n    const known",
      ],
    ],
  },
  {
    name: "R3 fresh: deletion on the word of a cached view",
    file: "sdk/engine/loaded-run.ts",
    edits: [
      [
        "    this.batches = undefined;\n    this.fresh = false;\n",
        "    this.batches = undefined;\n    this.fresh = true;\n",
      ],
    ],
  },
  {
    name: "R4 order: the settled check after the lease check",
    file: RUN_TASK,
    edits: [
      [
        "    () => this.dropSettled(),\n    () => this.deliverUnderLease(),\n",
        "    () => this.deliverUnderLease(),\n    () => this.dropSettled(),\n",
      ],
    ],
  },
  {
    name: "R4 early: deleted without arming again",
    file: RUN_TASK,
    edits: [
      [
        "      await send(this.context.ports, [{ message: item.message, due: announces.due }]);\n",
        "",
      ],
    ],
  },
  {
    name: "R5 alarm: the owner's message is deleted under its lease",
    file: RUN_TASK,
    edits: [["const isAlarm = item.message.message_id === lease.alarm;", "const isAlarm = false;"]],
  },
  {
    name: "R5 opener: a take-over names its own message as the alarm",
    file: DRIVER,
    edits: [
      [
        "alarm: turnFrom !== null && lease !== null ? lease.alarm : opener,",
        "alarm: turnFrom !== null && lease !== null && this.owns ? lease.alarm : opener,",
      ],
    ],
  },
  {
    name: "R5 deletion before the event is in the log",
    file: RUN_TASK,
    edits: [
      [
        "    const appended = await this.appendInbound(this.active);\n    if",
        "    const appended: string | undefined = undefined;\n    if",
      ],
    ],
  },
  {
    name: "R5 wake-up keys: the end of an activity does not answer its deadlines",
    file: "sdk/core/run.ts",
    edits: [
      [
        'this.know(deadlineKey(sequence, "schedule_to_close", DEADLINE_ATTEMPT));',
        "void deadlineKey;",
      ],
    ],
  },
  {
    name: "R6 take-over: the dead owner's dispatches are not sent again",
    file: DRIVER,
    edits: [
      [
        "    if (step.takenOver !== undefined) await announce(this.ports, key, state, step.takenOver);\n",
        "",
      ],
    ],
  },
  {
    name: "R7 due: a retry's wake-up is swallowed under a foreign lease",
    file: RUN_TASK,
    edits: [
      [
        'const appended = await this.appendInbound(this.active);\n    if (appended === "lost")',
        'const appended = await this.appendInbound(\n      this.active.filter(({ message }) => message.announces.kind !== "retry"),\n    );\n    if (appended === "lost")',
      ],
    ],
  },
  {
    name: "R8 message first: the API appends before it sends",
    file: DELIVER_OPERATION,
    edits: [
      [
        "  const event = await request.event();\n",
        "  const event = await request.event();\n  await appendRequest(ports, row, event, tail);\n",
      ],
      ["  await appendRequest(ports, row, event, tail);\n  return accepted;", "  return accepted;"],
    ],
  },
  {
    name: "R9 nonce: an own success counts as a lost race",
    file: HISTORY,
    edits: [
      ['return written.item?.["nonce"] === batch.nonce ? "appended" : "lost";', 'return "lost";'],
    ],
  },
  {
    name: "R9 nonce of a claim: an own claim counts as another's",
    file: ATTEMPTS,
    edits: [
      [
        "const isOwn = standing.owner === row.owner && standing.outcome === undefined;",
        "const isOwn = false;",
      ],
    ],
  },
  {
    name: "R9 outcomes in flight are discarded after a lost race",
    file: RUN_TASK,
    edits: [
      [
        '      case "lost":\n        await this.run.reload();',
        '      case "lost":\n        this.driver.abandon();\n        await this.run.reload();',
      ],
    ],
  },
  {
    name: "R10 worker: an outcome that is found is not reported again",
    file: ACTIVITY,
    edits: [
      [
        "if (row.outcome !== undefined) return await this.report(row.outcome);",
        'if (row.outcome !== undefined) return { kind: "delete" };',
      ],
    ],
  },
  {
    name: "R10 outcome: the last conclusion holds, not the first",
    file: ATTEMPTS,
    edits: [
      [
        'const NOT_CONCLUDED = "attribute_not_exists(#outcome)";',
        'const NOT_CONCLUDED = "attribute_exists(#pk)";',
      ],
    ],
  },
  {
    name: "R10 claim: a second worker enters the same attempt",
    file: ACTIVITY,
    edits: [
      [
        '    if (claim.kind === "taken") return await this.afterOther(claim.row);\n',
        '    if (claim.kind === "taken" && claim.row.outcome !== undefined)\n      return await this.afterOther(claim.row);\n',
      ],
    ],
  },
  {
    name: "R11 inbound batches drop the lease",
    file: "sdk/core/batch.ts",
    edits: [["lease: closed ? null : tail.lease,", "lease: null,"]],
  },
  {
    name: "R12 pending: a start that was never sent is not found",
    file: SWEEPER,
    edits: [
      [
        'if (row.status === "pending") await send(ports, [{ message: startMessage(row) }]);',
        'if (row.status === "pending") return;',
      ],
    ],
  },
  {
    name: "R12 running: the row stays pending",
    file: RUN_TASK,
    edits: [
      [
        "      await ports.runs.markRunning(this.key, ports.host.now() + CHECK_MS_FIRST, CHECK_MS_FIRST);\n",
        "      void CHECK_MS_FIRST;\n",
      ],
    ],
  },
  {
    name: "R12 first event: a request that overtakes the start writes no WorkflowStarted",
    file: DELIVER_OPERATION,
    edits: [
      [
        "...(tail === undefined ? [startedEvent(row, event.at)] : []),",
        "...(tail === null ? [startedEvent(row, event.at)] : []),",
      ],
    ],
  },
  {
    name: "R13 dead letters are not sent back",
    file: SWEEPER,
    edits: [
      [
        "dead_letters: redriveDeadLetters };",
        "dead_letters: async () => void redriveDeadLetters };",
      ],
    ],
  },
  {
    name: "R14 a frozen process enters bodies behind its lease",
    file: DRIVER,
    edits: [
      [
        "if (!state.closed && this.ports.host.now() < step.until - LEASE_RESERVE_MS)",
        "if (!state.closed)",
      ],
    ],
  },
  {
    name: "R15 each: the first message's verdict for all of its run",
    file: RUN_TASK,
    edits: [
      [
        "        turn?.to ?? position.batch,\n      );\n      await this.remove(item);\n",
        "        turn?.to ?? position.batch,\n      );\n      await this.removeAll();\n",
      ],
    ],
  },
  {
    name: "R15 alarm: the first message of the batch, checked or not",
    file: RUN_TASK,
    edits: [
      ["    const items = this.active;\n", "    const items = this.all;\n"],
      [
        "    this.active = [...items];\n",
        "    this.active = [...items];\n    this.all = [...items];\n",
      ],
      [
        "  private active: TaskItem[];\n",
        "  private active: TaskItem[];\n  private readonly all: TaskItem[];\n",
      ],
    ],
  },
  {
    name: "R15 resend: only the first settled message sends again",
    file: RUN_TASK,
    edits: [
      [
        "      await this.sendOpen(\n        Math.min(",
        "      if (item === this.active[0]) await this.sendOpen(\n        Math.min(",
      ],
    ],
  },
  {
    name: "R16 the direct task has another message id",
    file: START_OPERATION,
    edits: [
      [
        '.invoke({ kind: "task", message })',
        '.invoke({ kind: "task", message: { ...message, message_id: `${message.message_id}/direct` } })',
      ],
    ],
  },
  {
    name: "R16 the direct task runs before its message is sent",
    file: START_OPERATION,
    edits: [
      [
        "  await ports.queue.send([{ message, delayMs }]);\n  if (deadline === undefined) return undefined;\n  const answer = await invokeUntil(ports, message, deadline);\n",
        "  if (deadline === undefined) {\n    await ports.queue.send([{ message, delayMs }]);\n    return undefined;\n  }\n  const answer = await invokeUntil(ports, message, deadline);\n  await ports.queue.send([{ message, delayMs }]);\n",
      ],
    ],
  },
  {
    name: "R20 guard: a repeated request id is looked for from the tail only",
    file: DELIVER_OPERATION,
    edits: [
      [
        "const from = idGiven ? await ports.guards.guard(run, id, next) : next;",
        "const from = next;",
      ],
    ],
  },
];
