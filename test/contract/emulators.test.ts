import type { DynamoClient } from "../../sdk/adapters/dynamodb/table.ts";
import { emulators } from "./emulators.ts";
import { portsContract } from "./ports.suite.ts";

portsContract("the emulators", () => emulators());

/** As an emulator that knows nothing of ReturnValuesOnConditionCheckFailure. */
function withoutOldItems(client: DynamoClient): DynamoClient {
  return {
    async send(command) {
      try {
        return await client.send(command);
      } catch (error) {
        if (error instanceof Error && "Item" in error) delete error.Item;
        throw error;
      }
    },
  };
}

portsContract("emulators that return no old item", () => emulators(withoutOldItems));
