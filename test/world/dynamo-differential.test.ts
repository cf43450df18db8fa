import { type DynamoDb, startDynamoDb } from "../../sdk/dev/embedded/dynamodb.ts";
import { answersAlike } from "./dynamo-differential.suite.ts";

let emulator: DynamoDb | undefined;

answersAlike({
  name: "the embedded stack's emulator",
  async endpoint() {
    emulator = await startDynamoDb(undefined);
    return emulator.endpoint;
  },
  stop: async () => await emulator?.stop(),
});
