/** What a user of the package writes. */
import { activity, activityInfo, localActivity, workflow } from "pawl";

interface Cart {
  readonly skus: readonly string[];
  readonly card: string;
}

export const price = activity({ name: "price" }, (skus: readonly string[]) => skus.length * 999);

// A worker that dies is noticed at the end of its attempt's time.
const options = { name: "charge", startToCloseTimeout: "3s" } as const;
export const charge = activity(options, async (card: string, cents: number) => {
  const { attempt } = activityInfo();
  process.stdout.write(`charging ${card}, attempt ${attempt}\n`);
  // With this card the first attempt never ends by itself: somebody kills the stack.
  if (card === "slow" && attempt === 1) await new Promise(() => undefined);
  return { card, cents };
});

export const checkout = workflow({ name: "checkout" }, async (cart: Cart) => {
  const cents = await localActivity(price, cart.skus);
  return charge(cart.card, cents);
});
