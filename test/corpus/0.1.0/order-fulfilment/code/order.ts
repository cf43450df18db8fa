/** What a customer orders, and when an order makes sense. */
import { ApplicationFailure, activity } from "pawl";

export interface Address {
  readonly street: string;
  readonly city: string;
  /** Two letters, such as "DE". */
  readonly country: string;
}

export interface OrderLine {
  readonly sku: string;
  readonly quantity: number;
}

export interface Order {
  readonly id: string;
  readonly lines: readonly OrderLine[];
  readonly address: Address;
  /** A token of the payment provider: card numbers have no place in a history. */
  readonly card: string;
  /** Minutes in which the customer may still correct the address; 0 ships at once. */
  readonly graceMinutes: number;
}

/** Quick and without side effects, so the workflow runs it locally. */
export const validateOrder = activity({ startToCloseTimeout: "5s" }, (order: Order): void => {
  const problems: string[] = [];
  if (order.lines.length === 0) problems.push("the order has no lines");
  for (const { sku, quantity } of order.lines)
    if (!Number.isInteger(quantity) || quantity < 1 || quantity > 100)
      problems.push(`${sku}: ${quantity} is not a quantity from 1 to 100`);
  if (!/^[A-Z]{2}$/.test(order.address.country))
    problems.push(`${order.address.country} is not a country of two capital letters`);
  if (problems.length > 0)
    // The same order will not be better on a second attempt.
    throw ApplicationFailure.nonRetryable(problems.join("; "), "InvalidOrder", { problems });
});
