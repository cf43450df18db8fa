/** The example's orders, run as a user would run them: over the test platform, by their files. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Order } from "../../examples/order-fulfilment/order.ts";
import {
  changeAddress,
  type Fulfilment,
  fulfilOrder,
  progress,
} from "../../examples/order-fulfilment/worker.ts";
import type { WorkflowHandle } from "../../sdk/client.ts";
import { createTestPlatform, type TestPlatform } from "../../sdk/testing/index.ts";

const EXAMPLE = new URL("../../examples/order-fulfilment/", import.meta.url);
const LOCAL = ["local validateOrder", "local priceOrder"];

let platform: TestPlatform;

beforeEach(async () => {
  const entry = fileURLToPath(new URL("worker.ts", EXAMPLE));
  platform = await createTestPlatform({ target: "memory", entry });
});
afterEach(() => platform.close());

function start(file: string): Promise<WorkflowHandle<Fulfilment>> {
  const input: Order = JSON.parse(readFileSync(new URL(`orders/${file}`, EXAMPLE), "utf8"));
  return platform.client.start(fulfilOrder, { id: `order-${input.id}`, input });
}

/** Every activity in the order in which it was scheduled: "queued chargeCard". */
async function scheduled(handle: WorkflowHandle<unknown>): Promise<readonly string[]> {
  const events = await handle.history();
  return events
    .filter(({ type }) => type === "ActivityScheduled")
    .map(({ payload }) => `${payload["execution_mode"]} ${payload["activity_type"]}`);
}

async function attemptsOf(handle: WorkflowHandle<unknown>, type: string): Promise<unknown> {
  const run = await handle.describe();
  return run.activities.find((activity) => activity.type === type)?.attempt_count;
}

describe("an order that goes well", () => {
  test("is priced in the workflow task, and charged, reserved and shipped by workers", async () => {
    const handle = await start("plain.json");

    expect(await handle.result()).toEqual({
      status: "shipped",
      // 2 × 49.90 and 13 × 0.79 make 110.07, and 19 % of it 20.9133.
      totalCents: 13_098,
      chargeId: expect.stringMatching(/^charge-[0-9a-f]{8}$/),
      trackingNumber: "parcel-1001",
    });
    expect(await scheduled(handle)).toEqual([
      ...LOCAL,
      "queued chargeCard",
      "queued reserveStock",
      "queued shipOrder",
    ]);
  });

  test("is charged by a second attempt when the gateway is down for the first (G-01)", async () => {
    const handle = await start("flaky-gateway.json");

    expect(await handle.result()).toMatchObject({ status: "shipped", totalCents: 46_680 });
    expect(await attemptsOf(handle, "chargeCard")).toBe(2);
    expect(await attemptsOf(handle, "reserveStock")).toBe(1);
    const retries = (await handle.history()).filter(
      ({ type }) => type === "ActivityRetryScheduled",
    );
    expect(retries.map(({ payload }) => payload)).toEqual([
      expect.objectContaining({
        activity_type: "chargeCard",
        execution_mode: "queued",
        retry_reason: "failure",
        retry_backoff_seconds: 1,
      }),
    ]);
  });
});

describe("an order that cannot be fulfilled", () => {
  test("releases its stock and then refunds its card when nobody ships to the address", async () => {
    const handle = await start("unreachable-address.json");

    expect(await handle.result()).toEqual({
      status: "not shipped",
      reason: "AddressUnreachable",
      message: "no carrier serves South Pole, AQ",
      undone: ["reservation", "charge"],
    });
    expect(await scheduled(handle)).toEqual([
      ...LOCAL,
      "queued chargeCard",
      "queued reserveStock",
      "queued shipOrder",
      "queued releaseStock",
      "queued refundCard",
    ]);
    expect(await attemptsOf(handle, "shipOrder")).toBe(1);
  });

  test("refunds its card only when there was no stock to reserve", async () => {
    const handle = await start("out-of-stock.json");

    expect(await handle.result()).toMatchObject({ reason: "OutOfStock", undone: ["charge"] });
    expect((await scheduled(handle)).slice(LOCAL.length)).toEqual([
      "queued chargeCard",
      "queued reserveStock",
      "queued refundCard",
    ]);
  });

  test("ends after one attempt to charge a card that is declined (G-09)", async () => {
    const handle = await start("declined-card.json");

    expect(await handle.result()).toMatchObject({ reason: "CardDeclined", undone: [] });
    expect(await attemptsOf(handle, "chargeCard")).toBe(1);
    expect(await scheduled(handle)).toEqual([...LOCAL, "queued chargeCard"]);
  });

  test("fails the run before anything is queued when the order is invalid", async () => {
    const handle = await start("invalid.json");

    await expect(handle.result()).rejects.toMatchObject({
      name: "WorkflowFailedError",
      failure: {
        type: "InvalidOrder",
        details: {
          problems: [
            "lamp: 0 is not a quantity from 1 to 100",
            "Germany is not a country of two capital letters",
          ],
        },
      },
    });
    expect(await scheduled(handle)).toEqual(["local validateOrder"]);
  });
});

describe("an order with time to correct the address", () => {
  const corrected = { street: "Lindenstrasse 9", city: "Berlin", country: "DE" };

  test("ships to the address of the last signal, without waiting for the rest", async () => {
    const handle = await start("wrong-address.json");
    await platform.advance("1h");
    expect(await handle.query(progress)).toMatchObject({
      step: "waiting",
      address: { street: "Lindenstrase 99" },
    });

    await handle.signal(changeAddress, corrected);

    expect(await handle.result()).toMatchObject({ status: "shipped" });
    expect(await handle.query(progress)).toEqual({ step: "done", address: corrected });
    const run = await handle.describe();
    expect(run.activities.at(-1)).toMatchObject({
      type: "shipOrder",
      arguments: [{ orderId: "1007", address: corrected }],
    });
    expect(run.timers).toMatchObject([{ status: "cancelled" }]);
  });

  test("ships to the address of the order when nobody corrects it for two days", async () => {
    const handle = await start("wrong-address.json");
    await platform.advance("47h");
    expect((await handle.describe()).status).toBe("running");

    await platform.advance("2h");

    expect(await handle.result()).toMatchObject({ status: "shipped" });
    expect((await handle.describe()).timers).toMatchObject([{ status: "fired" }]);
  });

  test("undoes what was done when the run is cancelled meanwhile (J-01)", async () => {
    const handle = await start("wrong-address.json");
    await platform.advance("1h");

    await handle.cancel("the customer changed their mind");

    await expect(handle.result()).rejects.toMatchObject({ name: "WorkflowCancelledError" });
    expect((await scheduled(handle)).slice(-2)).toEqual([
      "queued releaseStock",
      "queued refundCard",
    ]);
  });
});
