/**
 * What a careless caller, a careless author or an attacker sends: every answer is an error of the
 * catalogue or plain data, never a fault, and nothing else is lost by it.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { badCode } from "./bad-code.suite.ts";
import { BadInputSetting } from "./bad-input-setting.ts";
import { badRequests } from "./bad-requests.suite.ts";
import type { EndToEndTarget } from "./end-to-end.suite.ts";
import * as worker from "./worker.ts";

export function badInput(target: EndToEndTarget): void {
  describe(`bad input on ${target.name}`, () => {
    const setting = new BadInputSetting(target);

    beforeAll(() => setting.open());
    afterAll(() => setting.close());

    badRequests(setting);
    badCode(setting);

    test("after all this a run that was open goes on, and new ones work", async () => {
      const { witness } = setting;
      await witness.signal(worker.note, "still here");
      await witness.signal(worker.approve, "ada");
      expect(await witness.result()).toEqual({
        approvedBy: "ada",
        notes: ["still here"],
        count: 1,
      });
      setting.finished.push(witness);
      expect(await setting.run("mixed", { start: 4 })).toMatchObject({ sum: 15 });
    });
  });
}
