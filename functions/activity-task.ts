/** The activity-task function: attempts of queued activities, one message each. */
import type { Context, SQSBatchResponse, SQSEvent } from "aws-lambda";
import { workActivity } from "../sdk/engine/activity-task.ts";
import { ownerName } from "../sdk/engine/boot.ts";
import type { Ports } from "../sdk/ports/ports.ts";
import type { UserCode } from "../sdk/ports/user-code.ts";
import { createRegistry } from "../sdk/worker/registry.ts";
import { attributeStrayErrors } from "../sdk/worker/stray-errors.ts";
import { portsFromEnvironment } from "./compose.ts";
import { invocationOf, receive, respond } from "./records.ts";

export type ActivityTaskHandler = (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>;

/** The handler over given ports. */
export function createActivityTaskHandler(userCode: UserCode, ports: Ports): ActivityTaskHandler {
  const worker = ownerName(ports.boot, ports.host.newId());
  return async (event, context) => {
    const invocation = invocationOf(context);
    const received = receive(event, "activity_task", ports);
    await Promise.all(
      received.map(async (item) => {
        try {
          item.verdict = await workActivity(
            { ports, userCode, invocation, worker },
            item.message,
            item.handle,
          );
        } catch (error) {
          // Concerns this attempt only: its message returns to the queue.
          ports.telemetry.warn(
            "an activity task could not finish; its message returns to the queue",
            {
              workflow_id: item.message.workflow_id,
              run_id: item.message.run_id,
              error: error instanceof Error ? (error.stack ?? error.message) : String(error),
            },
          );
        }
      }),
    );
    return await respond(event, received, ports);
  };
}

/** The handler of a bundled entry module. @throws PawlError registry_* at start-up */
export function activityTask(entry: Readonly<Record<string, unknown>>): ActivityTaskHandler {
  const userCode = createRegistry(entry);
  const ports = portsFromEnvironment();
  attributeStrayErrors(ports.telemetry);
  return createActivityTaskHandler(userCode, ports);
}
