/**
 * A DynamoDB that refuses nearly every second call while twenty runs are started and signalled, and is
 * then healed: nothing that was accepted is lost, and no refusal becomes a result.
 */
import { GetItemCommand } from "@aws-sdk/client-dynamodb";
import { beforeAll, describe, expect, test } from "vitest";
import type { WorkflowHandle } from "../../sdk/client.ts";
import type { EventView } from "../../sdk/core/api.ts";
import { attemptsWrong } from "../support/history.ts";
import type { Deployment } from "./deployment.ts";
import { go, MIXED_ATTEMPTS } from "./fixture/entry.ts";

const SETTING = "DYNAMODB_ERROR_PROBABILITY";
const PROBABILITY = 0.4;
const REFUSAL = "ProvisionedThroughputExceededException";
const RUNS = 20;
/** So many that all of them pass once in 10^22 times. */
const PROBES = 100;

interface Outcome {
  readonly id: string;
  readonly result: string;
  readonly events: readonly EventView[];
}

export function chaos(deployed: () => Promise<Deployment>): void {
  describe("a DynamoDB that refuses calls, and then is well again", () => {
    let outcomes: readonly Outcome[];
    let refusals: number;

    beforeAll(async () => {
      const deployment = await deployed();
      await deployment.configure(SETTING, PROBABILITY);
      const names = Array.from({ length: RUNS }, (_, index) => `mixed-${index}`);
      const handles = await Promise.all(names.map((name) => startAndSignal(deployment, name)));
      refusals = await countRefusals(deployment);
      await deployment.configure(SETTING, 0);
      const closed: Outcome[] = [];
      for (const handle of handles) {
        const result = String(await handle.result().catch(String));
        closed.push({ id: handle.id, result, events: await handle.history() });
      }
      outcomes = closed;
    }, 180_000);

    test("refused calls while the runs were started", () => {
      expect(refusals).toBeGreaterThan(0);
    });

    test("all runs end with their results (I6, I7, I13)", () => {
      expect(outcomes.map(({ result }) => result)).toEqual(outcomes.map(({ id }) => resultOf(id)));
    });

    test("each activity has one terminal event, with attempts in order and within the limit (I2, I3, I8)", () => {
      expect(outcomes.flatMap(({ events }) => attemptsWrong(events, MIXED_ATTEMPTS))).toEqual([]);
    });

    test("each history is gapless and has the signal once (I1, I16)", () => {
      for (const { events } of outcomes) {
        expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index + 1));
        expect(events.filter(({ type }) => type === "SignalReceived").length).toBe(1);
        expect(events.at(-1)?.type).toBe("WorkflowCompleted");
      }
    });
  });
}

async function startAndSignal(deployment: Deployment, name: string): Promise<WorkflowHandle> {
  const handle = await deployment.client.start("mixed", { id: name, input: name });
  await handle.signal(go, name);
  return handle;
}

function resultOf(name: string): string {
  return `${name}!!! ${name}!!! ${name} ${name}!!!!`;
}

/** Of reads past the functions, each tried once. */
async function countRefusals({ dynamodb, runsTable }: Deployment): Promise<number> {
  const read = new GetItemCommand({
    TableName: runsTable,
    Key: { pk: { S: "nobody" }, sk: { S: "nothing" } },
  });
  let refusals = 0;
  for (let probe = 0; probe < PROBES; probe++) {
    const name = await dynamodb.send(read).then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.name : String(error)),
    );
    if (name === REFUSAL) refusals += 1;
  }
  return refusals;
}
