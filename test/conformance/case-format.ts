/** What a case file may say, as schemas: every field that is not here is refused by name. */
import * as v from "valibot";
import { FUNCTION_NAMES } from "../../sdk/core/test-points.ts";
import { unknownForms } from "./matcher.ts";
import { ACTIVITIES, type BodyAction, FLAVOURS, ODD_VALUES, type Step } from "./program.ts";

export const TARGETS = ["memory", "embedded", "localstack"] as const;
export type Target = (typeof TARGETS)[number];

/** Written "1s", { minutes: 5 } or as seconds, and checked by what takes it. */
const duration = v.union(
  [v.number(), v.string(), v.record(v.string(), v.number())],
  "is no duration",
);
const text = v.pipe(v.string(), v.minLength(1));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const yes = v.literal(true);
const record = v.record(v.string(), v.unknown());
const values = v.array(v.unknown());
/** JSON with "*", "${NAME}", "${/re/}" and "${>= 2}" in it, see matcher.ts. */
const pattern = v.pipe(
  v.unknown(),
  v.check(
    (given) => unknownForms(given).length === 0,
    ({ input }) =>
      `${unknownForms(input).join(", ")} is no pattern; write \${NAME}, \${/re/} or \${>= 2}`,
  ),
);
const patterns = v.record(v.string(), pattern);

/**
 * A mapping that is recognised by one of its keys, its verb. Only the fields of that verb are
 * looked at, so that a misspelt one is named and not the whole mapping.
 */
function byVerb<T>(what: string, verbs: Readonly<Record<string, v.ObjectEntries>>) {
  const names = Object.keys(verbs);
  const schemas = new Map(names.map((verb) => [verb, v.strictObject(verbs[verb] ?? {})]));
  const refuse = (reason: string) => v.custom<never>(() => false, reason);
  // The entries of the verbs are those of the interface T, field by field.
  return v.lazy((input) => {
    if (typeof input !== "object" || input === null || Array.isArray(input))
      return refuse(`is no ${what}: a mapping with one of ${names.join(", ")} is`);
    const given = Object.keys(input).filter((key) => schemas.has(key));
    if (given.length === 0)
      return refuse(
        `${Object.keys(input).join(", ")} is no ${what}; expected one of ${names.join(", ")}`,
      );
    const [verb = ""] = given;
    return schemas.get(verb) ?? refuse(`${verb} is no ${what}`);
  }) as unknown as v.GenericSchema<unknown, T>;
}

const thrown = v.strictObject({
  type: v.optional(text),
  name: v.optional(text),
  message: v.optional(v.string()),
  non_retryable: v.optional(v.boolean()),
  details: v.optional(v.unknown()),
});

const step: v.GenericSchema<unknown, Step> = v.lazy(() => anyStep);
const steps = v.array(step);
const callStep: v.GenericSchema<unknown, Step> = v.lazy(() => calls);

const bodyAction = byVerb<BodyAction>("action of a body", {
  return: { return: v.unknown() },
  return_odd: { return_odd: v.picklist(ODD_VALUES) },
  return_bytes: { return_bytes: count },
  throw: { throw: thrown },
  hang: { hang: yes },
  until_told: { until_told: yes },
  stop: { stop: yes },
  beat: { beat: v.unknown() },
  beat_bytes: { beat_bytes: count },
  beat_aside: { beat_aside: v.unknown() },
  beat_until_told: { beat_until_told: yes },
  beat_every: { beat_every: v.strictObject({ ms: count, times: count }) },
  flood: { flood: count },
  wait_for: { wait_for: v.pipe(text, v.regex(/^[a-z0-9-]+$/u, "is no name of a release")) },
  pause_ms: { pause_ms: count },
  block_ms: { block_ms: count },
  exit: { exit: count },
  reject_aside: { reject_aside: text },
  nested: { nested: callStep, or_else: v.optional(v.unknown()) },
});

const activity = v.picklist(ACTIVITIES, `is no activity; there are ${ACTIVITIES.join(", ")}`);
const callFields = {
  label: v.optional(text),
  attempts: v.optional(v.pipe(v.array(v.array(bodyAction)), v.minLength(1))),
  args: v.optional(values),
  options: v.optional(record),
  with: v.optional(record),
  as: v.optional(text),
};
const CALLS = {
  call: { call: activity, ...callFields },
  local: { local: activity, ...callFields },
  scope: { scope: activity, ...callFields },
  regular: { regular: activity, ...callFields },
  facade: { facade: activity, ...callFields },
  facade_execute: { facade_execute: activity, ...callFields },
};
const calls = byVerb<Step>("call of an activity", CALLS);

const as = v.optional(text);
const branches = v.array(steps);
const anyStep = byVerb<Step>("step", {
  ...CALLS,
  sleep: { sleep: duration },
  side_effect: {
    side_effect: v.strictObject({ return: v.optional(v.unknown()), throw: v.optional(thrown) }),
    as,
  },
  wait_signal: { wait_signal: text, as },
  handle_signal: { handle_signal: text, as },
  wait_until: {
    wait_until: v.strictObject({ variable: text, length: count }),
    timeout: v.optional(duration),
    as,
  },
  all: { all: branches, as },
  race: { race: branches, as },
  repeat: { repeat: count, of: steps, as },
  fan_out: { fan_out: count, of: steps, as },
  begin: { begin: steps, as: text },
  await: { await: text, as },
  try: { try: steps, catch: v.optional(steps), finally: v.optional(steps), as },
  locally: { locally: steps, as },
  draw: { draw: v.picklist(["now", "random", "uuid", "cancel_requested"]), as },
  set: { set: record },
  return: { return: v.unknown() },
  throw: { throw: thrown },
  rethrow: { rethrow: yes },
});

const refused = v.optional(text);
const event = v.union([v.string(), v.record(v.string(), pattern)]);

const actions = {
  signal: {
    signal: v.strictObject({ name: text, args: v.optional(values), id: v.optional(text), refused }),
  },
  cancel: { cancel: v.strictObject({ reason: v.optional(text), refused }) },
  terminate: { terminate: v.strictObject({ reason: v.optional(text), refused }) },
  query: {
    query: v.strictObject({
      name: text,
      args: v.optional(values),
      answer: v.optional(pattern),
      refused,
    }),
  },
  advance: { advance: duration },
  /** Waits for an event of the history, a body, or a status. */
  until: {
    until: v.strictObject({
      event: v.optional(event),
      entered: v.optional(text),
      attempt: v.optional(count),
      status: v.optional(text),
    }),
  },
  release: { release: text },
  /** A copy of the run's start message. */
  deliver: { deliver: v.literal("start") },
  /** Waits until every crash point of the case has been reached. */
  crashed: { crashed: yes },
  /** Throws every warm process away. */
  cold: { cold: yes },
  request: {
    request: v.strictObject({
      method: v.optional(text),
      path: v.pipe(text, v.startsWith("/api/")),
      body: v.optional(v.unknown()),
      status: v.optional(count),
      answer: v.optional(pattern),
      /** The answer, or what stands at a path of it, as a part of local-activity-runtime.schema.json. */
      valid: v.optional(v.strictObject({ at: v.optional(text), as: text })),
    }),
  },
};

export interface Action {
  readonly signal?: v.InferOutput<typeof actions.signal.signal>;
  readonly cancel?: v.InferOutput<typeof actions.cancel.cancel>;
  readonly terminate?: v.InferOutput<typeof actions.terminate.terminate>;
  readonly query?: v.InferOutput<typeof actions.query.query>;
  readonly advance?: v.InferOutput<typeof duration>;
  readonly until?: v.InferOutput<typeof actions.until.until>;
  readonly release?: string;
  readonly deliver?: "start";
  readonly crashed?: true;
  readonly cold?: true;
  readonly request?: v.InferOutput<typeof actions.request.request>;
}
const action = byVerb<Action>("action", actions);

const fault = v.strictObject({
  crash: v.strictObject({
    function: v.picklist(FUNCTION_NAMES),
    call: text,
    when: v.picklist(["before", "after", "applied"]),
    nth: v.optional(count, 1),
  }),
});

const history = v.array(event);
const numbers = v.record(v.string(), pattern);
const expectation = v.strictObject({
  status: v.optional(v.picklist(["open", "completed", "failed", "cancelled", "terminated"])),
  /** Compared as a whole. */
  result: v.optional(pattern),
  /** A subset of the failure, as the API shows it. */
  failure: v.optional(patterns),
  /** By flavour where they differ. */
  history: v.optional(
    v.union([history, v.record(v.picklist(FLAVOURS), history)], "is no list of events"),
  ),
  /** A subset of each activity of the run's detail; as a mapping, of those with these sequences. */
  activities: v.optional(v.union([v.array(patterns), v.record(v.string(), patterns)])),
  /** The history replayed as if its calls were of another flavour: the code of what is thrown. */
  diverges: v.optional(v.strictObject({ flavour: v.picklist(FLAVOURS), code: text })),
  counts: v.optional(
    v.strictObject({
      /** Entries of bodies by label, or by label and attempt. */
      bodies: v.optional(v.record(text, v.union([pattern, numbers]))),
      invocations: v.optional(v.record(v.picklist(FUNCTION_NAMES), pattern)),
      /** Messages by queue. */
      messages: v.optional(numbers),
      /** Items written by table. */
      writes: v.optional(numbers),
    }),
  ),
  queries: v.optional(
    v.array(v.strictObject({ name: text, args: v.optional(values), answer: pattern })),
  ),
  /** Lines of the functions' logs that are there. */
  diagnostics: v.optional(
    v.array(
      v.strictObject({ message: pattern, level: v.optional(text), fields: v.optional(patterns) }),
    ),
  ),
  /** Between two times that the history has bound to variables; `at_most` on virtual time only. */
  elapsed: v.optional(
    v.array(
      v.strictObject({
        from: text,
        to: text,
        at_least: v.optional(duration),
        at_most: v.optional(duration),
      }),
    ),
  ),
});

export const caseFile = v.strictObject({
  id: v.pipe(
    text,
    v.regex(/^[a-z0-9]+(?:-[a-z0-9]+)*$/u, "is no id: use small letters, digits and -"),
  ),
  title: text,
  requirements: v.pipe(v.array(text), v.minLength(1)),
  targets: v.optional(v.pipe(v.array(v.picklist(TARGETS)), v.minLength(1)), ["memory", "embedded"]),
  /** Why a target of the usual two is missing. */
  because: v.optional(text),
  flavours: v.optional(v.pipe(v.array(v.picklist(FLAVOURS)), v.minLength(1)), ["local"]),
  /** Steps for the workflow of entry.ts. Without them only `request` actions have a meaning. */
  program: v.optional(steps),
  input: v.optional(v.unknown(), null),
  /** Seconds that the start waits for the result. */
  wait: v.optional(count),
  faults: v.optional(v.array(fault), []),
  actions: v.optional(v.array(action), []),
  /** Done when the run is closed, before anything is compared. */
  afterwards: v.optional(v.array(action), []),
  expect: v.optional(expectation, {}),
});
export type CaseFile = v.InferOutput<typeof caseFile>;
