/**
 * A run in memory: its folded state and, once workflow code is needed, its replayed instance.
 * Loads from the log, catches up with it, and throws a speculation away.
 */
import { InvariantError, pawlError } from "../core/errors.ts";
import type { Batch, RunKey, WorkflowStarted } from "../core/events.ts";
import { WorkflowInstance } from "../core/replay.ts";
import { RunState } from "../core/run.ts";
import type { Ports } from "../ports/ports.ts";
import type { UserCode, WorkflowDefinition } from "../ports/user-code.ts";
import { CountCover } from "./count-cover.ts";
import { LocalRows } from "./local-rows.ts";
import { PayloadVault } from "./payload-vault.ts";
import { persistently } from "./persistence.ts";
import { isFirst } from "./said.ts";

export class LoadedRun {
  readonly key: RunKey;
  readonly vault: PayloadVault;
  readonly rows: LocalRows;
  readonly counts: CountCover;
  state: RunState = new RunState();
  instance: WorkflowInstance | undefined;
  /** True once the view stands on a consistent read or an own append of this invocation (R3). */
  fresh = false;
  private readonly ports: Ports;
  private readonly userCode: UserCode;
  /** The log as far as it is known, or undefined when the run came from the cache. */
  private batches: Batch[] | undefined;
  /** How many of `batches` the instance has been fed. */
  private fed = 0;

  constructor(ports: Ports, userCode: UserCode, key: RunKey) {
    this.ports = ports;
    this.userCode = userCode;
    this.key = key;
    this.vault = new PayloadVault(ports.blobs, ports.host, key);
    this.rows = new LocalRows(key);
    this.counts = new CountCover(ports, key);
  }

  /** Reads the whole log. */
  async load(): Promise<void> {
    this.state = new RunState();
    this.instance = undefined;
    this.batches = [];
    this.fed = 0;
    this.rows.restart();
    this.counts.restart();
    await this.catchUp();
  }

  /**
   * Reads what others appended. Answers how many batches were new. Persistent: who runs bodies would
   * lose their attempts to one read that failed.
   */
  async catchUp(): Promise<number> {
    const { history, host } = this.ports;
    const batches = await persistently(host, () => history.readFrom(this.key, this.state.next));
    for (const batch of batches) {
      const wasReplayed = this.isReplayed();
      this.state.apply(batch);
      this.note(batch, false);
      this.batches?.push(batch);
      if (wasReplayed) await this.feed(batch);
    }
    this.fresh = true;
    return batches.length;
  }

  /** Throws speculated events away and reads the log again, from where it is known. */
  async reload(): Promise<void> {
    const known = this.batches;
    if (known === undefined) return await this.load();
    this.state = new RunState();
    this.instance = undefined;
    this.fed = 0;
    for (const batch of known) this.state.apply(batch);
    await this.catchUp();
  }

  /** Notes a batch of a turn: appended, folded and fed already. */
  committedTurn(batch: Batch): void {
    this.batches?.push(batch);
    this.note(batch, true);
    this.fed++;
    this.fresh = true;
  }

  /** Notes an inbound batch: appended and folded, not fed yet. */
  async committedInbound(batch: Batch): Promise<void> {
    const wasReplayed = this.isReplayed();
    this.batches?.push(batch);
    this.note(batch, true);
    this.fresh = true;
    if (wasReplayed) await this.feed(batch);
  }

  /** The instance, replayed up to and including the batch at `sequence`, or to the tail. */
  async replay(
    started: () => Promise<WorkflowStarted>,
    sequence: number = Number.POSITIVE_INFINITY,
  ): Promise<WorkflowInstance> {
    const instance = this.instance ?? this.createInstance(this.state.started ?? (await started()));
    this.instance = instance;
    if (this.batches === undefined) return instance;
    for (
      let batch = this.batches[this.fed];
      batch !== undefined && batch.sequence <= sequence;
      batch = this.batches[this.fed]
    ) {
      await this.feed(batch);
    }
    return instance;
  }

  /** The log is at hand, so that a replay can stop at any batch of it. */
  knowsLog(): boolean {
    return this.batches !== undefined;
  }

  /** The instance has been fed every event of the state. */
  isReplayed(): boolean {
    return (
      this.instance !== undefined &&
      (this.batches === undefined || this.fed === this.batches.length)
    );
  }

  /** Makes the run small enough to stay in the cache: state and instance remain, the log goes. */
  suspend(): void {
    this.batches = undefined;
    this.fresh = false;
    this.vault.forget();
    this.rows.suspend();
  }

  definition(workflowType: string): WorkflowDefinition {
    const definition = this.userCode.workflow(workflowType);
    if (definition !== undefined) return definition;
    throw pawlError("workflow_type_unknown", {
      type: workflowType,
      known: this.userCode.workflowTypes.join(", "),
    });
  }

  private note(batch: Batch, isOwn: boolean): void {
    this.rows.note(batch, isOwn);
    this.counts.note(batch);
  }

  private async feed(batch: Batch): Promise<void> {
    const { instance } = this;
    if (instance === undefined)
      throw new InvariantError("a batch is fed to a run that has no instance");
    await persistently(this.ports.host, () => this.vault.load(batch.events));
    for (const event of batch.events) await instance.feed(event);
    this.fed++;
  }

  private createInstance(started: WorkflowStarted): WorkflowInstance {
    const definition = this.definition(started.workflow_type);
    const { userCode, vault, ports } = this;
    return new WorkflowInstance(started, this.key.namespace, {
      settle: () => ports.host.settle(),
      read: (payload) => vault.read(payload),
      run: (context, input) => userCode.runWorkflow(definition, context, input),
      call: (context, call) => userCode.runInWorkflow(definition, context, call),
      diagnose: (message, about) => {
        if (about === "code" && !isFirst(userCode, message)) return;
        const { workflow_id, run_id } = this.key;
        ports.telemetry.warn(message, { workflow_id, run_id });
      },
    });
  }
}
