/** Queries: answered by the workflow-task function, which replays the run without appending (F-10). */
import type { QueryRequest, QueryResponse } from "../../core/api.ts";
import { type ErrorBody, InvariantError } from "../../core/errors.ts";
import type { Ports } from "../../ports/ports.ts";
import { checkId, findRun, keyOf, type RunRef } from "./find-run.ts";
import { checkValue, loadValue, storeValue } from "./stored-values.ts";

/** An error of the catalogue that another function reported; its text is passed on unchanged. */
export class ReportedError extends Error {
  override readonly name = "ReportedError";
  readonly status: number;
  readonly body: ErrorBody;

  constructor(reported: ErrorBody & { readonly status: number }) {
    super(reported.message);
    this.status = reported.status;
    this.body = { code: reported.code, message: reported.message, hint: reported.hint };
  }
}

/**
 * Asks the run's query handler.
 * @throws PawlError invalid_id, payload_*, workflow_not_found, run_not_found
 * @throws ReportedError query_unknown, query_failed, run_failing and what replay can raise
 */
export async function query(
  ports: Ports,
  ref: RunRef,
  name: string,
  request: QueryRequest,
): Promise<QueryResponse> {
  checkId("the query name", name);
  const args = checkValue(request.args ?? [], `the list of arguments of query ${name}`);
  const row = await findRun(ports, ref);
  const answer = await ports.workflowFunction.invoke({
    kind: "query",
    run: keyOf(row),
    name,
    arguments: await storeValue(ports, keyOf(row), args),
  });
  switch (answer.kind) {
    case "query":
      return { result: await loadValue(ports, answer.result) };
    case "error":
      throw new ReportedError(answer.error);
    case "task":
    case "types":
      throw new InvariantError(`a query was answered with ${answer.kind}`);
  }
}
