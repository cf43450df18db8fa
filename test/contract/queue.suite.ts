/** What every Queue must do. The tests run one after the other and each takes what it sent. */
import { describe, expect, test } from "vitest";
import { parseMessage } from "../../sdk/adapters/wire.ts";
import type { Message } from "../../sdk/ports/queue.ts";
import { activityTask, EVERY_MESSAGE, type Given, workflowTask } from "./fixtures.ts";

function now(messages: readonly Message[]) {
  return messages.map((message) => ({ message, delayMs: 0 }));
}

export function queueContract(given: Given): void {
  describe("queue", () => {
    test("every kind of message arrives in its queue as it was sent", async () => {
      const { ports, receive } = given();
      await ports.queue.send(now(EVERY_MESSAGE));
      const received = [...(await receive("workflow")), ...(await receive("default"))];
      const messages = received.map(({ body }) => parseMessage(body));
      expect(messages).toHaveLength(EVERY_MESSAGE.length);
      expect(messages).toEqual(expect.arrayContaining([...EVERY_MESSAGE]));
    });

    test("25 messages and none are sent alike", async () => {
      const { ports, receive } = given();
      const messages = Array.from({ length: 25 }, () => workflowTask());
      await ports.queue.send(now(messages));
      await ports.queue.send([]);
      const ids = (await receive("workflow")).map(({ body }) => parseMessage(body)?.message_id);
      expect(ids.toSorted()).toEqual(messages.map((message) => message.message_id).toSorted());
    });

    test("messages too large together for one call are all sent", async () => {
      const { ports, receive } = given();
      const large = { json: JSON.stringify("x".repeat(120_000)) };
      const messages = Array.from({ length: 5 }, () => activityTask({ arguments: large }));
      await ports.queue.send(now(messages));
      expect(await receive("default")).toHaveLength(5);
    });

    test("a body is ASCII, and any text of a user survives it: U+FFFF, control characters, emoji", async () => {
      const { ports, receive } = given();
      const text = '\u{ffff}\u{fffe}\u{1}\u{0}\u{7f}é€😀\u{d800}"\\\r\n\u{2028}';
      const message = activityTask({
        workflow_id: text,
        arguments: { json: JSON.stringify(text) },
      });
      await ports.queue.send(now([message]));
      const [received] = await receive("default");
      expect(received?.body).toMatch(/^[\x20-\x7e]+$/);
      expect(parseMessage(received?.body ?? "")).toEqual(message);
    });

    test("a delayed message is not there yet", async () => {
      const { ports, receive } = given();
      const at = (delayMs: number) => ({ message: workflowTask(), delayMs });
      const immediate = at(0);
      await ports.queue.send([at(900_000), immediate, at(60_001)]);
      const ids = (await receive("workflow")).map(({ body }) => parseMessage(body)?.message_id);
      expect(ids).toEqual([immediate.message.message_id]);
    });

    test("a message deferred by nothing is there again, one deferred for long is not", async () => {
      const { ports, receive } = given();
      const [again, later] = [workflowTask(), workflowTask()];
      await ports.queue.send(now([again, later]));
      for (const { body, handle } of await receive("workflow")) {
        const message = parseMessage(body);
        if (message === undefined) throw new Error("no message of ours");
        const ms = message.message_id === again.message_id ? 0 : 100_000_000;
        await ports.queue.defer({ message, handle }, ms);
      }
      const ids = (await receive("workflow")).map(({ body }) => parseMessage(body)?.message_id);
      expect(ids).toEqual([again.message_id]);
    });

    test("deferring a message that is gone or was never in a queue is no error", async () => {
      const { ports, receive } = given();
      const message = workflowTask();
      await ports.queue.defer({ message }, 1_000);
      await ports.queue.defer({ message, handle: "not-a-handle" }, 1_000);
      expect(await receive("workflow")).toEqual([]);
    });

    test("an activity queue that does not exist is named, and nothing is sent", async () => {
      const { ports, receive } = given();
      const lost = activityTask({ options: { queue: "constructor" } });
      const sent = ports.queue.send(now([activityTask(), lost]));
      await expect(sent).rejects.toMatchObject({
        code: "queue_unknown",
        details: { queue: "constructor" },
      });
      expect(await receive("default")).toEqual([]);
    });
  });
}
