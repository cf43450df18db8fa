/** The requests of the API as schemas; `sdk/core/api.ts` says what the fields mean. */
import * as v from "valibot";
import { DUPLICATE_POLICIES, ID_REUSE_POLICIES } from "../../sdk/core/api.ts";
import { HISTORY_PAGE_DEFAULT, HISTORY_PAGE_MAX, LIST_PAGE_MAX } from "../../sdk/core/limits.ts";

/** Characters of the reason of a cancel or terminate request: it stands in the history. */
export const REASON_LENGTH_MAX = 2_000;

const STATUSES = ["pending", "running", "completed", "failed", "cancelled", "terminated"] as const;

const args = v.exactOptional(v.array(v.unknown()));

export const startBody = v.object({
  workflow_type: v.string(),
  workflow_id: v.exactOptional(v.string()),
  input: v.exactOptional(v.unknown()),
  wait: v.exactOptional(
    v.pipe(
      v.number(),
      v.finite("must be a finite number of seconds"),
      v.minValue(0, "must be at least 0 seconds"),
    ),
  ),
  duplicate_policy: v.exactOptional(v.picklist(DUPLICATE_POLICIES)),
  id_reuse_policy: v.exactOptional(v.picklist(ID_REUSE_POLICIES)),
  request_id: v.exactOptional(v.string()),
});

export const signalBody = v.object({ args, signal_id: v.exactOptional(v.string()) });

export const noFields = v.object({});

export const queryBody = v.object({ args });

export const stopBody = v.object({
  reason: v.exactOptional(
    v.pipe(
      v.string(),
      v.maxLength(REASON_LENGTH_MAX, `must have at most ${REASON_LENGTH_MAX} characters`),
    ),
  ),
  request_id: v.exactOptional(v.string()),
});

const secondsText = v.pipe(
  v.string(),
  v.regex(/^\d{1,9}(?:\.\d{1,9})?$/, "must be a number of seconds, such as 20"),
  v.transform(Number),
);

const whole = (min: number, max: number) => {
  const expected = `must be a whole number from ${min} to ${max}`;
  return v.pipe(
    v.string(),
    v.regex(/^\d{1,15}$/, expected),
    v.transform(Number),
    v.minValue(min, expected),
    v.maxValue(max, expected),
  );
};

const time = v.pipe(
  v.string(),
  v.isoTimestamp("must be a time of ISO 8601, such as 2026-01-31T12:00:00Z"),
  v.transform((text) => Date.parse(text)),
);

export const noParameters = v.object({});

export const resultParameters = v.object({ wait: v.exactOptional(secondsText) });

export const historyParameters = v.object({
  after: v.optional(whole(0, Number.MAX_SAFE_INTEGER), "0"),
  limit: v.optional(whole(1, HISTORY_PAGE_MAX), String(HISTORY_PAGE_DEFAULT)),
});

export const listParameters = v.object({
  status: v.exactOptional(v.picklist(STATUSES)),
  workflow_type: v.exactOptional(v.string()),
  started_after: v.exactOptional(time),
  started_before: v.exactOptional(time),
  limit: v.optional(whole(1, LIST_PAGE_MAX), String(LIST_PAGE_MAX)),
  cursor: v.exactOptional(v.string()),
});
