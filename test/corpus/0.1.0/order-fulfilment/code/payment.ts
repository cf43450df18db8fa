/** Taking money, and giving it back. */
import { ApplicationFailure, activity, activityInfo } from "pawl";
import * as gateway from "./payment-gateway.ts";

export interface Charge {
  readonly card: string;
  readonly amountCents: number;
}

/** Returns the id of the charge. */
export const chargeCard = activity(
  { startToCloseTimeout: "10s", retryPolicy: { maxAttempts: 5 } },
  async ({ card, amountCents }: Charge): Promise<string> => {
    // One key for all attempts: an answer that was lost on the way never charges a second time.
    const { idempotencyKey, attempt } = activityInfo();
    const answer = await gateway.charge({ card, amountCents, idempotencyKey, attempt });
    if (answer.status === "declined")
      throw ApplicationFailure.nonRetryable(answer.reason, "CardDeclined");
    return answer.chargeId;
  },
);

/** Somebody's money: tried for longer than anything else. */
export const refundCard = activity(
  { startToCloseTimeout: "10s", retryPolicy: { maxAttempts: 50, maximumInterval: "10m" } },
  (chargeId: string): Promise<string> => gateway.refund(chargeId),
);
