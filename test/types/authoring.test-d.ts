import { expectTypeOf } from "vitest";
import type { QueryLike, SignalLike, WorkflowLike } from "../../sdk/client.ts";
import {
  type Activity,
  activity,
  condition,
  type Duration,
  defineQuery,
  defineSignal,
  depends,
  heartbeatDetails,
  LocalActivityOptions,
  localActivity,
  runActivitiesLocally,
  type StandardSchema,
  setHandler,
  sideEffect,
  sleep,
  Workflow,
  type WorkflowInput,
  type WorkflowResult,
  waitForSignal,
  workflow,
} from "../../sdk/index.ts";

interface Order {
  readonly id: string;
  readonly amount: number;
}
interface Database {
  readonly find: (id: string) => string;
}
declare function getDatabase(): Promise<Database>;
declare function openDatabase(): AsyncGenerator<Database, void, void>;
declare const orderSchema: StandardSchema<{ id: string; amount?: number }, Order>;
declare const receiptSchema: StandardSchema<{ receipt: string }>;

// Activities: arguments and results as the function has them, defaults included (B-04, B-07).
const charge = activity({ startToCloseTimeout: "10s" }, async (order: Order, count = 1) => {
  return `${order.id}:${count.toFixed()}`;
});
expectTypeOf(charge).parameters.toEqualTypeOf<[order: Order, count?: number | undefined]>();
expectTypeOf(charge).returns.toEqualTypeOf<Promise<string>>();
const plain = activity((text: string) => text.length);
expectTypeOf(plain).toEqualTypeOf<Activity<[text: string], number>>();
// @ts-expect-error: the order is missing
void charge();
// @ts-expect-error: the order is no text
void charge("o1");
// @ts-expect-error: there is no third argument
void charge({ id: "o1", amount: 1 }, 1, 2);
// @ts-expect-error: a parameter without a type
activity({}, async (order) => order);

// Options: every typo is found.
activity({}, () => 1);
// @ts-expect-error: startToClose is no option
activity({ startToClose: 5 }, () => 1);
// @ts-expect-error: attempts is no option of a policy
activity({ retryPolicy: { attempts: 5 } }, () => 1);
// @ts-expect-error: no unit
activity({ startToCloseTimeout: "5" }, () => 1);
// @ts-expect-error: an unknown unit
activity({ startToCloseTimeout: "5 minutes" }, () => 1);
// @ts-expect-error: one of timeWindow and timeWindowInSec
activity({ rateLimit: { maxExecution: 5 } }, () => 1);
// @ts-expect-error: an activity needs a function
activity({});
expectTypeOf(charge.with({ queue: "gpu" })).toEqualTypeOf<typeof charge>();
// @ts-expect-error: one call cannot have another name
charge.with({ name: "other" });

// Injected parameters are not part of the call (O-04).
const find = activity({}, async (id: string, db = depends(getDatabase)) => db.find(id));
expectTypeOf(find).parameters.toEqualTypeOf<[id: string]>();
const findWith = activity(async (id: string, prefix = "", db = depends(openDatabase)) => {
  return prefix + db.find(id);
});
expectTypeOf(findWith).parameters.toEqualTypeOf<[id: string, prefix?: string | undefined]>();
const onlyInjected = activity(async (db = depends(getDatabase)) => db.find("x"));
expectTypeOf(onlyInjected).parameters.toEqualTypeOf<[]>();
const variadic = activity(async (...ids: string[]) => ids.length);
expectTypeOf(variadic).parameters.toEqualTypeOf<string[]>();

// Schemas: the caller gives what goes in, the body gets what comes out (B-10).
const validated = activity({ input: orderSchema, output: receiptSchema }, async (order) => {
  expectTypeOf(order).toEqualTypeOf<Order>();
  return { receipt: order.id };
});
expectTypeOf(validated).parameters.toEqualTypeOf<[input: { id: string; amount?: number }]>();
expectTypeOf(validated).returns.toEqualTypeOf<Promise<{ receipt: string }>>();
activity({ input: orderSchema }, async (order, db = depends(getDatabase)) => db.find(order.id));
activity({ output: receiptSchema }, async (id: string) => ({ receipt: id }));
// @ts-expect-error: the result does not fit the schema
activity({ output: receiptSchema }, async (id: string) => ({ bill: id }));

// Local activities: options by class only, and only the six (C-09, C-10, F-01).
const options = new LocalActivityOptions({ maxAttempts: 2, backoff: [1, "2s"] });
expectTypeOf(localActivity(charge, options, { id: "o1", amount: 1 })).toEqualTypeOf<
  Promise<string>
>();
void localActivity(charge, { id: "o1", amount: 1 }, 2);
void Workflow.localActivity(charge, { id: "o1", amount: 1 });
void Workflow.executeLocalActivity(charge, options, { id: "o1", amount: 1 });
// @ts-expect-error: a plain object is an argument, and no order
void localActivity(charge, { maxAttempts: 2 }, { id: "o1", amount: 1 });
// @ts-expect-error: a function is no activity
void localActivity(async () => 1);
// @ts-expect-error: no queue
new LocalActivityOptions({ queue: "gpu" });
// @ts-expect-error: no schedule-to-start
new LocalActivityOptions({ scheduleToStartTimeout: 5 });
// @ts-expect-error: no stickiness
new LocalActivityOptions({ stickyToWorker: true });
const fromElsewhere = { maxAttempts: 2, connection: "redis" };
// @ts-expect-error: also when it is not written out in place
new LocalActivityOptions(fromElsewhere);
expectTypeOf(runActivitiesLocally(() => plain("a"))).toEqualTypeOf<Promise<number>>();

// Workflows carry their types to clients.
const report = workflow({ name: "report" }, async (order: Order) => await charge(order));
expectTypeOf(report).toEqualTypeOf<Workflow<Order, string>>();
expectTypeOf<WorkflowInput<typeof report>>().toEqualTypeOf<Order>();
expectTypeOf<WorkflowResult<typeof report>>().toEqualTypeOf<string>();
expectTypeOf(report).toExtend<WorkflowLike<Order, string>>();
const nightly = workflow(async () => 1);
expectTypeOf(nightly).toEqualTypeOf<Workflow<void, number>>();
const checked = workflow({ input: orderSchema }, async (order) => order.amount);
expectTypeOf<WorkflowInput<typeof checked>>().toEqualTypeOf<{ id: string; amount?: number }>();
expectTypeOf<WorkflowResult<typeof checked>>().toEqualTypeOf<number>();
// @ts-expect-error: determinism is no option
workflow({ determinism: false }, async () => 1);
// @ts-expect-error: one input at most
workflow(async (a: string, b: string) => a + b);

// Signals and queries.
const approve = defineSignal<[by: string]>("approve");
const wake = defineSignal("wake");
const pair = defineSignal<[a: string, b: string]>("pair");
const status = defineQuery<number, [part: string]>("status");
expectTypeOf(approve).toExtend<SignalLike<[by: string]>>();
expectTypeOf(status).toExtend<QueryLike<[part: string], number>>();
expectTypeOf(waitForSignal(approve)).toEqualTypeOf<Promise<string>>();
expectTypeOf(waitForSignal(wake)).toEqualTypeOf<Promise<void>>();
// @ts-expect-error: a signal of several parameters has no single value to wait for
void waitForSignal(pair);
setHandler(approve, (by) => expectTypeOf(by).toEqualTypeOf<string>());
setHandler(pair, async (a, b) => void (a + b));
setHandler(status, (part) => part.length);
// @ts-expect-error: the answer is a number
setHandler(status, (part) => part);

// Time, conditions, snapshots.
void sleep(5);
void sleep("1h30m");
void sleep({ days: 2 });
// @ts-expect-error: no unit
void sleep("soon");
expectTypeOf<"250ms">().toExtend<Duration>();
expectTypeOf(condition(() => true)).toEqualTypeOf<Promise<true>>();
expectTypeOf(condition(() => true, 5)).toEqualTypeOf<Promise<boolean>>();
expectTypeOf(sideEffect(() => 5)).toEqualTypeOf<Promise<number>>();
// @ts-expect-error: no promises
void sideEffect(async () => 5);
expectTypeOf(heartbeatDetails<number>()).toEqualTypeOf<number | undefined>();
