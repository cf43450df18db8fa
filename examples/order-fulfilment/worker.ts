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
import { type Price, priceOrder } from "./price.ts";
import { releaseStock, reserveStock } from "./warehouse.ts";

// Everything that is exported here can be run: activities are found under the names of their exports.
export { chargeCard, priceOrder, refundCard, releaseStock, reserveStock, shipOrder, validateOrder };

export type Step =
  | "pricing"
  | "charging"
  | "reserving"
  | "waiting"
  | "shipping"
  | "undoing"
  | "done";

export interface Progress {
  readonly step: Step;
  readonly address: Address;
  readonly price: Price | undefined;
}

export type Fulfilment =
  | {
      readonly status: "shipped";
      readonly totalCents: number;
      readonly chargeId: string;
      readonly trackingNumber: string;
    }
  | {
      readonly status: "not shipped";
      readonly reason: string;
      readonly message: string;
      /** What had been done and was undone, in this order. */
      readonly undone: readonly string[];
    };

/** The customer corrects the address; counts until the parcel leaves. */
export const changeAddress = defineSignal<[address: Address]>("changeAddress");
/** Where the order stands. */
export const progress = defineQuery<Progress>("progress");

export const fulfilOrder = workflow(
  { name: "fulfilOrder" },
  async (order: Order): Promise<Fulfilment> => {
    let step: Step = "pricing";
    let address = order.address;
    let addressChanged = false;
    let price: Price | undefined;
    setHandler(progress, () => ({ step, address, price }));
    setHandler(changeAddress, (corrected) => {
      address = corrected;
      addressChanged = true;
    });

    // Local: both run inside the workflow task, without a queue. An invalid order fails the run here.
    price = await runActivitiesLocally(async () => {
      await validateOrder(order);
      return priceOrder(order);
    });

    const undo: { readonly what: string; readonly run: () => Promise<unknown> }[] = [];
    try {
      // Regular: each of these is a message in a queue, run by a worker, retried by its own policy.
      step = "charging";
      const chargeId = await chargeCard({ card: order.card, amountCents: price.totalCents });
      undo.push({ what: "charge", run: () => refundCard(chargeId) });

      step = "reserving";
      const reservationId = await reserveStock(order);
      undo.push({ what: "reservation", run: () => releaseStock(reservationId) });

      step = "waiting";
      if (order.graceMinutes > 0)
        await condition(() => addressChanged, { minutes: order.graceMinutes });

      step = "shipping";
      const trackingNumber = await shipOrder({ orderId: order.id, address });
      step = "done";
      return { status: "shipped", totalCents: price.totalCents, chargeId, trackingNumber };
    } catch (error) {
      // Also when the run is cancelled: what has been done is undone, the last step first.
      step = "undoing";
      const undone: string[] = [];
      for (const { what, run } of undo.reverse()) {
        await run();
        undone.push(what);
      }
      step = "done";
      if (!(error instanceof ActivityFailure) || error instanceof ActivityCancellation) throw error;
      return { status: "not shipped", reason: error.type, message: error.message, undone };
    }
  },
);
