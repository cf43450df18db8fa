/**
 * The one catalogue of errors: code, HTTP status, what happened and was expected, what to do next.
 *
 * It feeds the code, the HTTP API (`{ code, message, hint }`) and the docs. Three families never
 * mix: a broken invariant ({@link InvariantError}, crashes the invocation), an infrastructure fault
 * ({@link InfrastructureError}, repaired by redelivery, never a workflow result), and the errors of
 * this catalogue, which a caller or workflow code can act on.
 */
interface Entry {
  /** The HTTP status that the API answers with. */
  readonly status: number;
  /** What happened and what was expected; `{name}` is replaced by a detail. */
  readonly message: string;
  /** What to do next. */
  readonly hint: string;
}

export const ERRORS = {
  invalid_json: {
    status: 400,
    message: "the request body is not valid JSON: {reason}",
    hint: "send one JSON object with the content type application/json",
  },
  invalid_request: {
    status: 400,
    message: "the request is not valid: {reason}",
    hint: "compare the request with the API reference in docs/API.md",
  },
  invalid_id: {
    status: 400,
    message: "{what} {value} is not a valid id: {reason}",
    hint: "use 1 to 256 printable characters; ids do not start with __",
  },
  invalid_cursor: {
    status: 400,
    message: "the cursor was not issued by this list",
    hint: "start again without a cursor and pass on next_cursor unchanged",
  },
  invalid_option: {
    status: 400,
    message: "{where}: the option {option} {reason}",
    hint: "see the list of options in docs/AUTHORING.md",
  },
  unknown_option: {
    status: 400,
    message: "{where}: {option} is not an option; expected one of {expected}",
    hint: "remove it, or correct its spelling",
  },
  local_activity_option_rejected: {
    status: 400,
    message:
      "LocalActivityOptions: {option} is not an option of a local activity; expected one of {expected}",
    hint: "a local activity enters no queue: drop the option, or call the activity as a regular one",
  },
  payload_too_large: {
    status: 413,
    message: "{what} has {bytes} bytes; at most {limit} bytes are allowed",
    hint: "store the value elsewhere, such as in S3, and pass a reference to it",
  },
  payload_too_deep: {
    status: 400,
    message: "{what} is nested {where}",
    hint: "flatten the value, or pass it as a string",
  },
  payload_not_serializable: {
    status: 400,
    message: "{what} cannot be stored as JSON: it contains {where}",
    hint: "return and pass plain data: strings, finite numbers, booleans, null, arrays, objects",
  },
  request_too_large: {
    status: 413,
    message: "the request has {bytes} bytes; at most {limit} bytes are allowed",
    hint: "send a smaller body; a single value may have 2,097,152 bytes",
  },
  response_too_large: {
    status: 413,
    message: "the answer has {bytes} bytes; at most {limit} bytes can be sent",
    hint: "read the history in pages: GET .../history?limit=100",
  },
  route_not_found: {
    status: 404,
    message: "there is no route {method} {path}",
    hint: "see the list of routes in docs/API.md",
  },
  workflow_type_unknown: {
    status: 404,
    message: "no workflow is registered under the type {type}; registered are: {known}",
    hint: "export the workflow from the entry module, or correct the type",
  },
  activity_type_unknown: {
    status: 404,
    message: "no activity is registered under the type {type}; registered are: {known}",
    hint: "export the activity from the entry module and deploy it",
  },
  queue_unknown: {
    status: 400,
    message: "there is no activity queue {queue}; there are: {known}",
    hint: "add the queue to the deployment, or correct the option queue",
  },
  workflow_not_found: {
    status: 404,
    message: "there is no workflow {workflow_id}",
    hint: "check the id; `pawl ls` lists the workflows",
  },
  run_not_found: {
    status: 404,
    message: "workflow {workflow_id} has no run {run_id}",
    hint: "check the run id, or leave it out for the current run",
  },
  workflow_already_started: {
    status: 409,
    message: "workflow {workflow_id} has already been started as run {run_id} ({status})",
    hint: "use another id, or the duplicate_policy return_existing_active",
  },
  workflow_closed: {
    status: 409,
    message: "run {run_id} of workflow {workflow_id} is closed ({status}) and takes nothing more",
    hint: "start a new run",
  },
  query_unknown: {
    status: 404,
    message: "workflow {workflow_id} has no query {name}; it has: {known}",
    hint: "register it in the workflow with setHandler",
  },
  query_failed: {
    status: 422,
    message: "query {name} failed: {reason}",
    hint: "a query handler reads the workflow's state; it must not throw, await or start anything",
  },
  run_failing: {
    status: 409,
    message: "the workflow task of run {run_id} fails: {reason}",
    hint: "deploy code that replays the run's history; the run then goes on by itself",
  },
  signals_pending_limit: {
    status: 429,
    message:
      "run {run_id} has {pending} signals that workflow code has not taken; at most {limit} are allowed",
    hint: "send fewer signals, or take them faster in the workflow",
  },
  nondeterminism: {
    status: 409,
    message:
      "workflow code and history disagree at sequence {sequence}: recorded {expected}, the code asks for {actual}{position}",
    hint: "deploy the code that wrote this history, or make the change only for new runs; the run stays open and heals",
  },
  blocked_on_foreign_promise: {
    status: 409,
    message: "workflow {type} waits for a promise that is not durable",
    hint: "await only activities, sleep, signals and conditions in workflow code; move other work into an activity",
  },
  nondeterministic_call: {
    status: 409,
    message: "workflow code called {what}, which is different on every replay",
    hint: "{instead}",
  },
  outside_workflow: {
    status: 400,
    message: "{what} was called outside of a workflow",
    hint: "call it in the function given to workflow()",
  },
  outside_activity: {
    status: 400,
    message: "{what} was called outside of an activity",
    hint: "call it in the function given to activity()",
  },
  read_only_scope: {
    status: 409,
    message: "{what} was called in {where}, which may only read the workflow's state",
    hint: "call it in the workflow function or in a signal handler",
  },
  depends_misplaced: {
    status: 400,
    message: "depends({provider}) was evaluated where no call can wait for it",
    hint: "write it only as the default value of a parameter of an activity or of another provider",
  },
  provider_unstable: {
    status: 400,
    message: "depends({provider}) is given another function at each call",
    hint: "declare the provider once, outside of the activity",
  },
  dependency_cycle: {
    status: 400,
    message: "providers depend on each other in a circle: {chain}",
    hint: "let one of them take what it needs from elsewhere",
  },
  schema_unknown: {
    status: 409,
    message: "the history holds {what}, which this version does not know",
    hint: "deploy a version of pawl at least as new as the one that wrote it",
  },
  registry_duplicate: {
    status: 400,
    message: "two exports of the entry module register the {kind} {name}: {first} and {second}",
    hint: "give one of them another `name` option",
  },
  registry_unnamed: {
    status: 400,
    message: "the export {export} of the entry module is a {kind} without a name",
    hint: "export it under a name, or give it the `name` option",
  },
  registry_empty: {
    status: 400,
    message: "the entry module exports no workflow",
    hint: "export at least one workflow(...) from the entry module",
  },
  history_limit: {
    status: 409,
    message: "run {run_id} has {events} events; at most {limit} are allowed",
    hint: "split the work over several workflows",
  },
  pending_limit: {
    status: 409,
    message: "run {run_id} has {pending} open activities and timers; at most {limit} are allowed",
    hint: "start fewer at the same time",
  },
  entry_not_found: {
    status: 400,
    message: "there is no entry module {entry}",
    hint: "give the path of the file that exports your workflows and activities",
  },
  bundle_failed: {
    status: 400,
    message: "the entry module {entry} does not compile: {reason}",
    hint: "correct the named line; `tsc --noEmit` shows the rest",
  },
  folder_in_use: {
    status: 409,
    message: "the folder {folder} is used by the stack with process id {pid}",
    hint: "stop that process, or give this stack another folder",
  },
  dynamodb_missing: {
    status: 503,
    message: "no DynamoDB emulator is installed for {platform}",
    hint: "npm install --save-dev dynoxide (or dynalite), or set DYNOXIDE_BIN to its binary, or PAWL_DYNAMODB_LOCAL_JAR to the jar of DynamoDB Local when you have Java",
  },
  dynamodb_failed: {
    status: 503,
    message: "the DynamoDB emulator {command} does not start: {reason}",
    hint: "start it by hand to see why, or set DYNOXIDE_BIN to another one",
  },
  function_failed: {
    status: 400,
    message: "the function {function} does not load: {reason}",
    hint: "correct the entry module; the stack goes on with the code that it had",
  },
  target_unsupported: {
    status: 400,
    message: "{what} is not possible on the target {target}",
    hint: "{instead}",
  },
  workflow_unnamed: {
    status: 400,
    message: "this workflow definition has no name of its own: its type is the name of its export",
    hint: "pass the type as a string, or give the workflow the `name` option",
  },
  not_authorized: {
    status: 403,
    message: "{url} refused the caller with status {status}: {reason}",
    hint: "sign the request with credentials that may call the API: set AWS_PROFILE, or PAWL_SIGN=1 for a host of your own",
  },
  unexpected_answer: {
    status: 502,
    message: "{url} answered with status {status}, and not as Pawl's API does: {reason}",
    hint: "check that the URL is that of a Pawl API, its stage included",
  },
  connection_failed: {
    status: 503,
    message: "no answer from {url}: {reason}",
    hint: "start `pawl dev`, or set PAWL_API_URL to the address of the API",
  },
  access_denied: {
    status: 403,
    message:
      "the request is not signed, the caller is not allowed to make it, or there is no such route",
    hint: "sign it with AWS credentials that may call this method of the API; see docs/API.md for the routes",
  },
  too_many_requests: {
    status: 429,
    message: "there are more requests than the API is set to take",
    hint: "try again later, or raise the throttling of the deployment",
  },
  unavailable: {
    status: 503,
    message: "the service cannot answer right now",
    hint: "try again; nothing was lost",
  },
  internal: {
    status: 500,
    message: "an internal error happened; the request id is {request_id}",
    hint: "look for the request id in the logs of the api function",
  },
} as const satisfies Record<string, Entry>;

export type ErrorCode = keyof typeof ERRORS;

/** The form in which an error leaves the process: the API's body, the log's field. */
export interface ErrorBody {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
}

/** An error of the catalogue, with its details filled in. */
export class PawlError extends Error {
  override readonly name = "PawlError";
  readonly code: ErrorCode;
  readonly hint: string;
  /** The HTTP status of the API's answer. */
  readonly status: number;
  readonly details: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, details: Readonly<Record<string, string>>) {
    super(fill(ERRORS[code].message, details));
    this.code = code;
    this.hint = fill(ERRORS[code].hint, details);
    this.status = ERRORS[code].status;
    this.details = details;
  }

  toJSON(): ErrorBody {
    return { code: this.code, message: this.message, hint: this.hint };
  }
}

export function pawlError(
  code: ErrorCode,
  details: Readonly<Record<string, string>> = {},
): PawlError {
  return new PawlError(code, details);
}

/** The service below failed or did not answer: nothing is decided, redelivery repairs it. */
export class InfrastructureError extends Error {
  override readonly name = "InfrastructureError";
  /** True when the call may have been applied although no answer came. */
  readonly maybeApplied: boolean;

  constructor(
    message: string,
    options: { readonly maybeApplied: boolean; readonly cause?: unknown },
  ) {
    super(message, { cause: options.cause });
    this.maybeApplied = options.maybeApplied;
  }
}

/** A broken invariant: a bug of Pawl or a damaged table. Crashes the invocation, never a run. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

function fill(template: string, details: Readonly<Record<string, string>>): string {
  return template.replaceAll(/\{(\w+)\}/g, (whole, name: string) => details[name] ?? whole);
}
