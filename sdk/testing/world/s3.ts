/** A fake S3 at the level of the client's `send(command)`: objects of text or bytes in buckets. */
import { METADATA, serviceError } from "./aws-errors.ts";
import { type Command, checkParameters, commandName, UnsupportedByFake } from "./gate.ts";

const ACTIONS: Readonly<Record<string, readonly string[]>> = {
  PutObject: ["Bucket", "Key", "Body", "ContentType", "ContentLength", "IfNoneMatch"],
  GetObject: ["Bucket", "Key"],
};
const KEY_BYTES_MAX = 1_024;

export interface S3Request {
  readonly action: string;
  readonly bucket: string;
  readonly key: string;
  readonly input: Readonly<Record<string, unknown>>;
}

/** The parts of the commands' outputs that are imitated. */
export interface S3Output {
  readonly $metadata: object;
  readonly ContentLength?: number;
  readonly Body?: {
    transformToString(): Promise<string>;
    transformToByteArray(): Promise<Uint8Array>;
  };
}

export class FakeS3 {
  readonly #buckets: ReadonlyMap<string, Map<string, Buffer>>;

  constructor(buckets: readonly string[]) {
    this.#buckets = new Map(buckets.map((name) => [name, new Map()]));
  }

  keys(bucket: string): readonly string[] {
    return [...(this.#buckets.get(bucket)?.keys() ?? [])];
  }

  /** The text of an object, for assertions; undefined when there is none. */
  text(bucket: string, key: string): string | undefined {
    return this.#buckets.get(bucket)?.get(key)?.toString("utf8");
  }

  request(command: Command): S3Request {
    const action = commandName(command).replace(/Command$/, "");
    const parameters = ACTIONS[action];
    if (parameters === undefined) throw new UnsupportedByFake(`the S3 command ${action}`);
    checkParameters(action, command.input, parameters);
    const input: Readonly<Record<string, unknown>> = { ...command.input };
    return { action, bucket: String(input["Bucket"]), key: String(input["Key"]), input };
  }

  perform({ action, bucket, key, input }: S3Request): S3Output {
    const objects = this.#buckets.get(bucket);
    if (objects === undefined)
      throw serviceError("NoSuchBucket", "The specified bucket does not exist");
    if (Buffer.byteLength(key) > KEY_BYTES_MAX)
      throw serviceError("KeyTooLongError", "Your key is too long");
    return action === "PutObject" ? put(objects, key, input) : get(objects, key);
  }

  async send(command: Command): Promise<S3Output> {
    return this.perform(this.request(command));
  }
}

function put(
  objects: Map<string, Buffer>,
  key: string,
  input: Readonly<Record<string, unknown>>,
): S3Output {
  if (input["IfNoneMatch"] === "*" && objects.has(key))
    throw serviceError("PreconditionFailed", "At least one of the preconditions did not hold");
  const body = input["Body"];
  if (typeof body !== "string" && !(body instanceof Uint8Array))
    throw new UnsupportedByFake("a Body that is neither text nor bytes");
  objects.set(key, Buffer.from(body));
  return { $metadata: METADATA };
}

function get(objects: Map<string, Buffer>, key: string): S3Output {
  const body = objects.get(key);
  if (body === undefined) throw serviceError("NoSuchKey", "The specified key does not exist.");
  return {
    $metadata: METADATA,
    ContentLength: body.byteLength,
    Body: {
      transformToString: async () => body.toString("utf8"),
      transformToByteArray: async () => Uint8Array.from(body),
    },
  };
}
