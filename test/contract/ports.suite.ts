/**
 * The contract of all ports, as one suite that every implementation of the services below runs:
 * `setup` gives ports over an emulator, over LocalStack or over a simulation's fakes.
 */
import { afterAll, beforeAll, describe } from "vitest";
import { attemptsContract } from "./attempts.suite.ts";
import { countingContract } from "./counting.suite.ts";
import type { PortsUnderTest } from "./fixtures.ts";
import { historyContract } from "./history.suite.ts";
import { queueContract } from "./queue.suite.ts";
import { runListContract } from "./run-list.suite.ts";
import { runsContract } from "./runs.suite.ts";
import { timersContract } from "./timers.suite.ts";

export function portsContract(name: string, setup: () => Promise<PortsUnderTest>): void {
  describe(`ports over ${name}`, () => {
    let world: PortsUnderTest | undefined;
    beforeAll(async () => {
      world = await setup();
    });
    afterAll(async () => {
      await world?.close();
    });
    const given = (): PortsUnderTest => {
      if (world === undefined) throw new Error(`the setup of ${name} did not finish`);
      return world;
    };
    historyContract(given);
    runsContract(given);
    runListContract(given);
    countingContract(given);
    attemptsContract(given);
    timersContract(given);
    queueContract(given);
  });
}
