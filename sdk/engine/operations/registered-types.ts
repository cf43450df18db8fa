/** The workflow types that the deployed entry module registers, asked of the function that holds it. */
import { InfrastructureError, pawlError } from "../../core/errors.ts";
import type { Ports } from "../../ports/ports.ts";

/** Milliseconds in which an unknown type does not lead to another question. */
const ASK_AGAIN_MS = 3_000;
/** Types that an error names. */
const NAMED_TYPES_MAX = 20;

export class RegisteredTypes {
  readonly #ports: Ports;
  #known: ReadonlySet<string> | undefined;
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  /**
   * Refuses a type that nobody registered, before anything is written. A type that is not known
   * yet is asked for again, because a deployment may have added it. When the function cannot
   * answer, the start is accepted: it is durable, and the run then shows why its task fails.
   * @throws PawlError workflow_type_unknown
   */
  async require(type: string): Promise<void> {
    if (this.#known?.has(type) === true) return;
    const now = this.#ports.host.now();
    if (now - this.#askedAt >= ASK_AGAIN_MS) {
      this.#askedAt = now;
      this.#known = (await this.#ask()) ?? this.#known;
    }
    if (this.#known === undefined || this.#known.has(type)) return;
    const named = [...this.#known].slice(0, NAMED_TYPES_MAX).join(", ");
    throw pawlError("workflow_type_unknown", { type, known: named === "" ? "none" : named });
  }

  async #ask(): Promise<ReadonlySet<string> | undefined> {
    try {
      const answer = await this.#ports.workflowFunction.invoke({ kind: "types" });
      if (answer.kind === "types") return new Set(answer.workflow_types);
      const reason = answer.kind === "error" ? answer.error.code : answer.kind;
      this.#ports.telemetry.warn("the registered types are not known", { reason });
    } catch (error) {
      if (!(error instanceof InfrastructureError)) throw error;
      this.#ports.telemetry.warn("the registered types are not known", { reason: error.name });
    }
    return undefined;
  }
}
