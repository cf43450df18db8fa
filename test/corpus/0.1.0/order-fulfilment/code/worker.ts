/**
 * The entry module: one workflow, and the activities that it calls. Start reading here.
 *
 * Every `await` below is a durable step. Kill the process at any of them: the run goes on where it
 * was, and what has succeeded is not done again.
 */
import {
  ActivityCancellation,
  ActivityFailure,
  condition,
  defineQuery,
  defineSignal,
  runActivitiesLocally,
  setHandler,
  workflow,
} from "pawl";
import { shipOrder } from "./carrier.ts";
import { type Address, type Order, validateOrder } from "./order.ts";
import { chargeCard, refundCard } from "./payment.ts";
import { priceOrder } from "./price.ts";
import { releaseStock, reserveStock } from "./warehouse.ts";

// What an entry module exports can be run; an activity's name is the name of its export.
export { chargeCard, priceOrder, refundCard, releaseStock, reserveStock, shipOrder, validateOrder };

export type Step =
  | "pricing"
  | "charging"
  | "reserving"
  | "waiting"
  | "shipping"
  | "undoing"
  | "done";

export type Fulfilment =
  | {
      readonly status: "shipped";
      readonly totalCents: number;
      readonly trackingNumber: string;
      readonly chargeId: string;
    }
  | {
      readonly status: "not shipped";
      readonly reason: string;
      /** What had been done and was undone, in this order. */
      readonly undone: readonly string[];
      readonly message: string;
    };

/** The customer corrects the address; counts until the parcel leaves. */
export const changeAddress = defineSignal<[address: Address]>("changeAddress");
/** Where the order stands. */
export const progress = defineQuery<{ step: Step; address: Address }>("progress");

export const fulfilOrder = workflow(
  { name: "fulfilOrder" },
  async (order: Order): Promise<Fulfilment> => {
    let step: Step = "pricing";
    let address = order.address;
    let isCorrected = false;
    setHandler(progress, () => ({ step, address }));
    setHandler(changeAddress, (corrected) => {
      address = corrected;
      isCorrected = true;
    });

    // Local: both run inside the workflow task, without a queue. An invalid order fails the run here.
    const { totalCents } = await runActivitiesLocally(async () => {
      await validateOrder(order);
      return priceOrder(order);
    });

    const undo: { readonly what: string; readonly call: () => Promise<unknown> }[] = [];
    try {
      // Regular: each of these is a message in a queue, run by a worker, retried by its own policy.
      step = "charging";
      const chargeId = await chargeCard({ card: order.card, amountCents: totalCents });
      undo.push({ what: "charge", call: () => refundCard(chargeId) });

      step = "reserving";
      const reservationId = await reserveStock(order);
      undo.push({ what: "reservation", call: () => releaseStock(reservationId) });

      step = "waiting";
      if (order.graceMinutes > 0)
        await condition(() => isCorrected, { minutes: order.graceMinutes });

      step = "shipping";
      const trackingNumber = await shipOrder({ orderId: order.id, address });
      step = "done";
      return { status: "shipped", totalCents, trackingNumber, chargeId };
    } catch (error) {
      // Also when the run is cancelled: what was done is undone, the last step first.
      step = "undoing";
      for (const { call } of undo.reverse()) await call();
      step = "done";
      if (!(error instanceof ActivityFailure) || error instanceof ActivityCancellation) throw error;
      const { type: reason, message } = error;
      return { status: "not shipped", reason, undone: undo.map(({ what }) => what), message };
    }
  },
);
