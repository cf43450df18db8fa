/** I18: whatever a request touches has the request's namespace in its key. */
import { PARTITION_KEY } from "../../sdk/adapters/dynamodb/layout.ts";
import type { Operation } from "../../sdk/testing/world/gate.ts";

type Input = Readonly<Record<string, unknown>>;

/** The first key of an operation that is not of this namespace; undefined when there is none. */
export function foreignKey(operation: Operation, namespace: string): string | undefined {
  const { service, input } = operation;
  switch (service) {
    case "dynamodb":
      return partitionsOf(input).find((partition) => !partition.startsWith(`${namespace}#`));
    case "s3": {
      const key = String(input["Key"]);
      return key.startsWith(`${namespace}/`) ? undefined : key;
    }
    case "sqs": {
      const wanted = `"namespace":${JSON.stringify(namespace)}`;
      return listOf(input["Entries"])
        .flatMap((entry) => ("MessageBody" in entry ? [String(entry["MessageBody"])] : []))
        .find((body) => !body.includes(wanted));
    }
    case "lambda":
      return undefined;
  }
}

function partitionsOf(input: Input): readonly string[] {
  const named = [input["Item"], input["Key"], ...batchItems(input)].flatMap((item) =>
    isRecord(item) ? [String(item[PARTITION_KEY])] : [],
  );
  const values = input["ExpressionAttributeValues"];
  const asked = isRecord(values) && values[":pk"] !== undefined ? [String(values[":pk"])] : [];
  return [...named, ...asked];
}

function batchItems(input: Input): readonly unknown[] {
  const requests = isRecord(input["RequestItems"]) ? Object.values(input["RequestItems"]) : [];
  return requests
    .flatMap(listOf)
    .flatMap(({ PutRequest: put }) => (isRecord(put) ? put["Item"] : []));
}

function listOf(value: unknown): readonly Input[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

function isRecord(value: unknown): value is Input {
  return typeof value === "object" && value !== null;
}
