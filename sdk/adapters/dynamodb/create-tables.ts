/** Creates the tables of `layout.ts` in a DynamoDB endpoint that has no CDK: emulators and tests. */
import {
  type AttributeDefinition,
  CreateTableCommand,
  type CreateTableCommandInput,
  type DynamoDBClient,
} from "@aws-sdk/client-dynamodb";
import { faultName } from "../faults.ts";
import { PARTITION_KEY, SORT_KEY, TABLES, type TableLayout, type TableName } from "./layout.ts";

/** What is needed of `DynamoDBClient`. */
export type TableCreator = Pick<DynamoDBClient, "send">;

/**
 * Creates every table that is not there yet, under the given names; the rest is left as it is.
 * Resolves when DynamoDB has taken the requests: emulators serve the tables at once.
 */
export async function createTables(
  client: TableCreator,
  names: Readonly<Record<TableName, string>>,
): Promise<void> {
  const layouts: Readonly<Record<TableName, TableLayout>> = TABLES;
  for (const [table, layout] of Object.entries(layouts) as [TableName, TableLayout][]) {
    try {
      await client.send(new CreateTableCommand(definition(names[table], layout)));
    } catch (error) {
      if (faultName(error) !== "ResourceInUseException") throw error;
    }
  }
}

function definition(name: string, layout: TableLayout): CreateTableCommandInput {
  const attributes = new Map<string, AttributeDefinition>();
  const declare = (attribute: string, type: "S" | "N"): void => {
    attributes.set(attribute, { AttributeName: attribute, AttributeType: type });
  };
  declare(PARTITION_KEY, "S");
  declare(SORT_KEY, layout.sortKeyType);
  for (const index of layout.indexes) {
    declare(index.partitionKey, "S");
    declare(index.sortKey, index.sortKeyType);
  }
  const indexes = layout.indexes.map((index) => ({
    IndexName: index.name,
    KeySchema: keySchema(index.partitionKey, index.sortKey),
    Projection: {
      ProjectionType: index.keysOnly === true ? ("KEYS_ONLY" as const) : ("ALL" as const),
    },
  }));
  return {
    TableName: name,
    BillingMode: "PAY_PER_REQUEST",
    AttributeDefinitions: [...attributes.values()],
    KeySchema: keySchema(PARTITION_KEY, SORT_KEY),
    ...(indexes.length === 0 ? {} : { GlobalSecondaryIndexes: indexes }),
  };
}

function keySchema(partitionKey: string, sortKey: string) {
  return [
    { AttributeName: partitionKey, KeyType: "HASH" as const },
    { AttributeName: sortKey, KeyType: "RANGE" as const },
  ];
}
