/** Large payloads in S3: written once under a key of their own, so what is read is never half old. */
import type * as S3 from "@aws-sdk/client-s3";
import { InfrastructureError } from "../../core/errors.ts";
import type { Blobs } from "../../ports/blobs.ts";
import { calling, faultName } from "../faults.ts";

/** What the adapter needs of `S3Client`; fakes stand here. */
export interface S3BlobClient {
  send(command: S3.PutObjectCommand | S3.GetObjectCommand): Promise<S3Output>;
}

/** The parts of the commands' outputs that the adapter reads. */
export interface S3Output {
  readonly Body?: { transformToString(encoding?: string): Promise<string> } | undefined;
}

let commands: Promise<typeof S3> | undefined;

/** S3's package is loaded with the first blob: most invocations have none and start faster. */
export function loadS3(): Promise<typeof S3> {
  commands ??= import("@aws-sdk/client-s3");
  return commands;
}

export function s3Blobs(client: S3BlobClient, bucket: string): Blobs {
  return {
    async put(key, text) {
      const { PutObjectCommand } = await loadS3();
      const command = new PutObjectCommand({
        Bucket: bucket,
        Key: key,
        Body: text,
        ContentType: "application/json; charset=utf-8",
      });
      await calling("S3 PutObject", () => client.send(command));
    },

    async get(key) {
      const { GetObjectCommand } = await loadS3();
      const command = new GetObjectCommand({ Bucket: bucket, Key: key });
      const text = await calling("S3 GetObject", async () => {
        try {
          // Read inside the call: a connection that breaks in the middle is a fault of the call.
          const { Body: body } = await client.send(command);
          return await body?.transformToString("utf-8");
        } catch (error) {
          if (faultName(error) === "NoSuchKey") return undefined;
          throw error;
        }
      });
      if (text === undefined)
        throw new InfrastructureError(`the blob ${key} is not there`, { maybeApplied: false });
      return text;
    },
  };
}
