/** The rules R8 to R20 of the commit protocol, each one off: how things are written, sent and kept. */
import type { Mutant } from "./mutants.ts";

const RUN_TASK = "sdk/engine/run-task.ts";
const DRIVER = "sdk/engine/turn-driver.ts";
const DELIVER = "sdk/engine/operations/deliver.ts";
const START = "sdk/engine/operations/start.ts";
const ACTIVITY = "sdk/engine/activity-task.ts";
const SWEEPER = "sdk/engine/sweeper.ts";
const HISTORY = "sdk/adapters/dynamodb/history.ts";
const ATTEMPTS = "sdk/adapters/dynamodb/attempts.ts";

export const DELIVERY_MUTANTS: readonly Mutant[] = [
  {
    name: "R8 message first: the API appends before it sends",
    file: DELIVER,
    edits: [
      ["  await appendRequest(ports, row, event, tail);\n", ""],
      [
        "const event = await request.event();",
        "const event = await request.event();\n  await appendRequest(ports, row, event, tail);",
      ],
    ],
  },
  {
    name: "R9 nonce: an own success counts as a lost race",
    file: HISTORY,
    edits: [['written.item?.["nonce"] === batch.nonce', "written.item === null"]],
  },
  {
    name: "R9 nonce of a claim: an own claim counts as another's",
    file: ATTEMPTS,
    edits: [["const isOwn =", "const isOwn = false &&"]],
  },
  {
    name: "R9 nonce of an outcome: an own outcome counts as another's",
    file: ATTEMPTS,
    edits: [[' || written.item?.["outcome_nonce"] === nonce', ""]],
    equivalent:
      "The outcome that stands is then answered, and it is the own one: the nonce saves a comparison.",
  },
  {
    name: "R9 in flight: outcomes of bodies are discarded after a lost race",
    file: RUN_TASK,
    edits: [
      [
        'case "lost":\n        await this.run.reload();',
        'case "lost":\n        this.driver.abandon();\n        await this.run.reload();',
      ],
    ],
  },
  {
    name: "R10 report: an outcome that is found is not reported again",
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
    edits: [['= "attribute_not_exists(#outcome)"', '= "attribute_exists(#pk)"']],
  },
  {
    name: "R10 claim: a second worker enters the same attempt",
    file: ACTIVITY,
    edits: [
      [
        'if (claim.kind === "taken") return',
        'if (claim.kind === "taken" && claim.row.outcome !== undefined) return',
      ],
    ],
  },
  {
    name: "R10 live: a claim that is live is concluded as lost",
    file: ACTIVITY,
    edits: [["if (rest > 0 &&", "if (rest > Number.MAX_SAFE_INTEGER &&"]],
  },
  {
    name: "R10 sign: a claim that was renewed since it was read is concluded as lost",
    file: ATTEMPTS,
    edits: [["condition: unchanged(row)", "condition: { expression: NOT_CONCLUDED }"]],
    aims: [{ program: "beats", profile: "storm" }],
  },
  {
    name: "R10 order: an outcome is reported before it stands in its row",
    file: ACTIVITY,
    edits: [
      [
        "const outcome = await this.conclude({ ...end, ...this.outcomeFields(startedAt) }, this.owner);",
        "await this.report({ ...end, ...this.outcomeFields(startedAt) });\n    const outcome = await this.conclude({ ...end, ...this.outcomeFields(startedAt) }, this.owner);",
      ],
    ],
  },
  {
    name: "R10 stale: who owns an attempt is not asked when its outcome is written",
    file: ATTEMPTS,
    edits: [
      ["{ expression: OWN, values: { if_owner: owner } };", "{ expression: NOT_CONCLUDED };"],
    ],
    equivalent:
      "A row is claimed once, by a write that asks for nothing at its key, and its owner never changes: whoever claimed it is the owner, and after a conclusion by somebody else the row has an outcome, which is asked for still. The attempt number is part of the key.",
  },
  {
    name: "R11 lease: inbound batches drop the lease",
    file: "sdk/core/batch.ts",
    edits: [["lease: closed ? null : tail.lease,", "lease: null,"]],
  },
  {
    name: "R11 turn: inbound batches forget where the open turn began",
    file: "sdk/core/batch.ts",
    edits: [["turn_from: closed ? null : tail.turn_from,", "turn_from: null,"]],
  },
  {
    name: "R12 pending: a start that was never sent is not found",
    file: SWEEPER,
    edits: [["await send(ports, [{ message: startMessage(row) }]);", "return;"]],
  },
  {
    name: "R12 running: the row stays pending",
    file: RUN_TASK,
    edits: [
      [
        "await ports.runs.markRunning(this.key, ports.host.now() + CHECK_MS_FIRST, CHECK_MS_FIRST);",
        "",
      ],
    ],
  },
  {
    name: "R12 first event: a request that overtakes the start writes no WorkflowStarted",
    file: DELIVER,
    edits: [["...(tail === undefined ? [startedEvent", "...(tail === null ? [startedEvent"]],
  },
  {
    name: "R13 dead letters are not sent back",
    file: SWEEPER,
    edits: [
      ["dead_letters: redriveDeadLetters", "dead_letters: async () => void redriveDeadLetters"],
    ],
  },
  {
    name: "R14 entry: a frozen process enters bodies behind its lease",
    file: DRIVER,
    edits: [["&& this.ports.host.now() < step.until - LEASE_RESERVE_MS", ""]],
  },
  {
    name: "R14 renewal: the lease of a running body is not renewed",
    file: DRIVER,
    edits: [["return gainMs < LEASE_RESERVE_MS ?", "return gainMs < Number.POSITIVE_INFINITY ?"]],
  },
  {
    name: "R14 poll: the owner does not read the tail while bodies run",
    file: DRIVER,
    edits: [["await this.run.catchUp();", ""]],
    equivalent:
      "Who does not look learns of signals, cancels and a lost lease when it appends: at the latest at half of its lease, because that append loses. It is slower, and nothing promises how fast it is.",
  },
  {
    name: "R15 each: the first message's verdict for all of its run",
    file: RUN_TASK,
    edits: [
      [
        "?? position.batch,\n      );\n      await this.remove(item);",
        "?? position.batch,\n      );\n      await this.removeAll();",
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
    name: "R15 resend: of several settled messages only the first one sends again",
    file: RUN_TASK,
    edits: [
      [
        "private async dropSettled(): Promise<Next | undefined> {",
        "private async dropSettled(): Promise<Next | undefined> {\n    let sent = 0;",
      ],
      [
        "await this.sendOpen(\n        Math.min(",
        "if (sent++ === 0) await this.sendOpen(\n        Math.min(",
      ],
    ],
    aims: [{ program: "fans", profile: "copies" }],
  },
  {
    name: "R15 failure: an error deletes the other messages of its run",
    file: "sdk/engine/workflow-task.ts",
    edits: [
      [
        "const infrastructure = error instanceof InfrastructureError;",
        'const infrastructure = error instanceof InfrastructureError;\n  for (const item of undecided.slice(1)) item.verdict = { kind: "delete" };',
      ],
    ],
    aims: [{ program: "fans", profile: "storm" }],
  },
  {
    name: "R16 id: the direct task has another message id",
    file: START,
    edits: [
      [
        '.invoke({ kind: "task", message })',
        '.invoke({ kind: "task", message: { ...message, message_id: `${message.message_id}/direct` } })',
      ],
    ],
  },
  {
    name: "R16 order: the direct task runs before its message is sent",
    file: START,
    edits: [
      [
        "  await ports.queue.send([{ message, delayMs }]);\n  if (deadline === undefined) return undefined;\n  const answer = await invokeUntil(ports, message, deadline);\n",
        "  if (deadline === undefined) {\n    await ports.queue.send([{ message, delayMs }]);\n    return undefined;\n  }\n  const answer = await invokeUntil(ports, message, deadline);\n  await ports.queue.send([{ message, delayMs }]);\n",
      ],
    ],
  },
  {
    name: "R20 guard: a repeated request id is looked for from the tail only",
    file: DELIVER,
    edits: [["idGiven ? await ports.guards.guard(run, id, next) : next", "next"]],
  },
  {
    name: "R20 order: the guard of a request id comes after its message",
    file: DELIVER,
    edits: [
      ["idGiven ? await ports.guards.guard(run, id, next) : next", "next"],
      [
        "  await appendRequest(ports, row, event, tail);\n",
        "  const late = idGiven ? await ports.guards.guard(run, id, next) : next;\n  if (late < next && holds(await ports.history.readFrom(run, late), id)) return accepted;\n  await appendRequest(ports, row, event, tail);\n",
      ],
    ],
  },
];
