/**
 * The entry module of the benchmark. Activity bodies answer when they ran, by a clock that all
 * processes of the machine share, so that the gap between two bodies can be taken outside of them.
 */
import {
  activity,
  defineQuery,
  defineSignal,
  localActivity,
  setHandler,
  waitForSignal,
  workflow,
} from "../../sdk/index.ts";

export interface StepsInput {
  readonly n: number;
  readonly mode: Mode;
}
/** Where the activities of a benchmark run. */
export type Mode = "local" | "regular";

/** Milliseconds of the machine's monotonic clock. */
export const stamp = activity(
  { startToCloseTimeout: "10s" },
  async (): Promise<number> => Number(process.hrtime.bigint()) / 1e6,
);

/** Milliseconds of CPU that the process has used so far, user and system. */
export const cpu = activity({ startToCloseTimeout: "10s" }, async (): Promise<number> => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
});

export const empty = workflow(async () => 1);

/** `n` sequential activities: answers when each body ran. */
export const steps = workflow(async ({ n, mode }: StepsInput): Promise<readonly number[]> => {
  const stamps: number[] = [];
  for (let index = 0; index < n; index++)
    stamps.push(await (mode === "local" ? localActivity(stamp) : stamp()));
  return stamps;
});

/** `n` parallel activities: answers how many. */
export const fan = workflow(async ({ n, mode }: StepsInput): Promise<number> => {
  const calls = Array.from({ length: n }, () =>
    mode === "local" ? localActivity(stamp) : stamp(),
  );
  return (await Promise.all(calls)).length;
});

/** The CPU of the process that runs local activities: before, and after `n` of them. */
export const cpuOfSteps = workflow(async ({ n }: { readonly n: number }) => {
  const before = await localActivity(cpu);
  for (let index = 0; index < n; index++) await localActivity(stamp);
  return { before, after: await localActivity(cpu) };
});

export const release = defineSignal("release");
export const stepsDone = defineQuery<number>("stepsDone");

/** `n` local activities, then a wait: a run that is suspended with that much history. */
export const held = workflow(async ({ n }: { readonly n: number }): Promise<number> => {
  let done = 0;
  setHandler(stepsDone, () => done);
  for (; done < n; done++) await localActivity(stamp);
  await waitForSignal(release);
  return done;
});
