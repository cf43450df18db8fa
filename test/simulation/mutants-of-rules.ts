/** The rules R1 to R7 of the commit protocol, each one off: who works for what, what may be deleted. */
import type { Mutant } from "./mutants.ts";

const RUN_TASK = "sdk/engine/run-task.ts";
const DRIVER = "sdk/engine/turn-driver.ts";

export const RULE_MUTANTS: readonly Mutant[] = [
  {
    name: "R1 own event: a settled message works for others' events",
    file: RUN_TASK,
    edits: [
      [
        "if (turn === undefined && !position.selfContained) continue;",
        "if (turn === undefined && !position.selfContained) continue;\n      if ((await this.run.replay(() => this.startedEvent())).wantsSomething()) continue;",
      ],
    ],
    aims: [{ program: "relay", profile: "copies" }],
  },
  {
    name: "R2 settled: deleted without sending open dispatches again",
    file: RUN_TASK,
    edits: [["await this.sendOpen(\n        Math.min(", "Math.max(\n        Math.min("]],
  },
  {
    name: "R2 inert: an event that asked for nothing opens a turn later",
    file: RUN_TASK,
    edits: [["if (this.state.turnFrom !== null) return", "if (this.state.next > 0) return"]],
    aims: [{ program: "second", profile: "copies" }],
  },
  {
    name: "R3 fresh: deletion on the word of a cached view",
    file: "sdk/engine/loaded-run.ts",
    edits: [["this.fresh = false;", "this.fresh = true;"]],
  },
  {
    name: "R4 order: the settled check after the lease check",
    file: RUN_TASK,
    edits: [
      [
        "() => this.dropSettled(),\n    () => this.deliverUnderLease(),",
        "() => this.deliverUnderLease(),\n    () => this.dropSettled(),",
      ],
    ],
    aims: [{ program: "shadow", profile: "copies" }],
  },
  {
    name: "R4 early: deleted without arming again",
    file: RUN_TASK,
    edits: [
      ["await send(this.context.ports, [{ message: item.message, due: announces.due }]);", ""],
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
        "turnFrom !== null && lease !== null ? lease.alarm",
        "turnFrom !== null && lease !== null && this.owns ? lease.alarm",
      ],
    ],
    aims: [{ program: "chains", profile: "storm" }],
  },
  {
    name: "R5 in the log: a message is deleted before its event is recorded",
    file: RUN_TASK,
    edits: [
      [
        "const appended = await this.appendInbound(this.active);",
        "const appended: string | undefined = undefined;",
      ],
    ],
  },
  {
    name: "R5 void: what the log answers already opens a turn for others' events",
    file: RUN_TASK,
    edits: [["() => this.dropVoid(),", ""]],
    aims: [{ program: "given", profile: "copies" }],
  },
  {
    name: "R5 keys: the end of an activity does not answer its deadlines",
    file: "sdk/core/run.ts",
    edits: [
      [
        'this.know(deadlineKey(sequence, "schedule_to_close", DEADLINE_ATTEMPT));',
        "void deadlineKey;",
      ],
    ],
    aims: [{ program: "deadlines", profile: "storm" }],
  },
  {
    name: "R6 take-over: the dead owner's dispatches are not sent again",
    file: DRIVER,
    edits: [
      [
        "if (step.takenOver !== undefined) await announce(this.ports, key, state, step.takenOver);",
        "",
      ],
    ],
  },
  {
    name: "R7 due: a retry's wake-up is swallowed under a foreign lease",
    file: RUN_TASK,
    edits: [
      [
        "const appended = await this.appendInbound(this.active);",
        'const appended = await this.appendInbound(\n      this.active.filter(({ message }) => message.announces.kind !== "retry"),\n    );',
      ],
    ],
  },
];
