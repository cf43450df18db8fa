/**
 * Payloads of one run while it is being worked: keeps values inline or as blobs (claim check), and
 * has the text of every blob at hand that replay reads, which must not wait.
 */
import { InvariantError } from "../core/errors.ts";
import type { HistoryEvent, RunKey } from "../core/events.ts";
import { PAYLOAD_INLINE_BYTES_MAX } from "../core/limits.ts";
import type { Payload } from "../core/payload.ts";
import type { Blobs } from "../ports/blobs.ts";
import type { Host } from "../ports/host.ts";

/** Blobs that are fetched at the same time. */
const FETCHES_MAX = 16;

export class PayloadVault {
  private readonly texts = new Map<string, string>();
  private readonly blobs: Blobs;
  private readonly host: Pick<Host, "newId">;
  private readonly prefix: string;

  constructor(blobs: Blobs, host: Pick<Host, "newId">, run: RunKey) {
    this.blobs = blobs;
    this.host = host;
    this.prefix = blobPrefix(run);
  }

  /** Keeps a value; when it becomes a blob, the blob is durable once this resolves. */
  async keep(json: string, bytes: number): Promise<Payload> {
    if (bytes <= PAYLOAD_INLINE_BYTES_MAX) return { json };
    const blob = `${this.prefix}${this.host.newId()}`;
    await this.blobs.put(blob, json);
    this.texts.set(blob, json);
    return { blob, bytes };
  }

  /** The text of a payload that is inline, was kept here, or was loaded with {@link load}. */
  read(payload: Payload): string {
    if ("json" in payload) return payload.json;
    const text = this.texts.get(payload.blob);
    if (text === undefined)
      throw new InvariantError(`blob ${payload.blob} was not loaded before it was read`);
    return text;
  }

  /** Fetches the blobs that feeding these events reads. */
  async load(events: readonly HistoryEvent[]): Promise<void> {
    const missing = events
      .flatMap(fedPayloads)
      .flatMap((payload) =>
        "blob" in payload && !this.texts.has(payload.blob) ? [payload.blob] : [],
      );
    for (let index = 0; index < missing.length; index += FETCHES_MAX) {
      await Promise.all(missing.slice(index, index + FETCHES_MAX).map((blob) => this.fetch(blob)));
    }
  }

  async fetch(blob: string): Promise<string> {
    const text = this.texts.get(blob) ?? (await this.blobs.get(blob));
    this.texts.set(blob, text);
    return text;
  }

  /** Lets go of the texts: a suspended run in the cache stays small (P5). */
  forget(): void {
    this.texts.clear();
  }
}

/** The folder of a run's blobs: run ids are unique and short, where workflow ids may be neither (L6). */
export function blobPrefix(run: RunKey): string {
  return `${encodeURIComponent(run.namespace)}/${run.run_id}/`;
}

function fedPayloads(event: HistoryEvent): readonly Payload[] {
  switch (event.type) {
    case "WorkflowStarted":
      return [event.input];
    case "ActivityCompleted":
      return [event.result];
    case "SideEffectRecorded":
      return event.result === undefined ? [] : [event.result];
    case "SignalReceived":
      return [event.arguments];
    case "WorkflowCompleted":
    case "WorkflowFailed":
    case "WorkflowCancelled":
    case "WorkflowTerminated":
    case "ActivityScheduled":
    case "ActivityStarted":
    case "ActivityHeartbeatRecorded":
    case "ActivityRetryScheduled":
    case "ActivityRetryDue":
    case "ActivityFailed":
    case "ActivityTimedOut":
    case "ActivityCancelled":
    case "TimerScheduled":
    case "TimerFired":
    case "TimerCancelled":
    case "CancelRequested":
    case "LeaseRenewed":
      return [];
  }
}
