/** Reads case files: every document of every YAML file below a folder is one case. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import * as v from "valibot";
import { type Document, isNode, LineCounter, parseAllDocuments } from "yaml";
import { type CaseFile, caseFile, type Target } from "./case-format.ts";
import type { Entry } from "./history-matcher.ts";
import { variablesIn } from "./matcher.ts";
import type { BodyAction, Flavour, Step } from "./program.ts";

/** One case in one flavour, ready to be run. */
export interface Case extends Omit<CaseFile, "flavours"> {
  readonly flavour: Flavour;
  /** The id, with the flavour when the case has several. */
  readonly name: string;
  /** Where it stands, such as `cases/retries/backoff.yaml:12`. */
  readonly place: string;
  readonly history: readonly Entry[] | undefined;
  /** True when it arms crash points, which would be reached by whoever runs beside it. */
  readonly alone: boolean;
}

const CASES = fileURLToPath(new URL("cases", import.meta.url));
const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A case file that says something that is not understood; the message names file, line and field. */
export class CaseFileError extends Error {
  override readonly name = "CaseFileError";
}

/** All cases below a folder, in the order of their files. @throws CaseFileError */
export function loadCases(folder: string = CASES): readonly Case[] {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => /\.ya?ml$/u.test(file))
    .toSorted();
  const cases = files.flatMap((file) => {
    const path = join(folder, file);
    return parseCases(relative(ROOT, path), readFileSync(path, "utf8"));
  });
  const seen = new Map<string, string>();
  for (const { name, place } of cases) {
    const before = seen.get(name);
    if (before !== undefined)
      throw new CaseFileError(`${place}: the id ${name} is that of ${before}`);
    seen.set(name, place);
  }
  return cases;
}

/** The cases that run on a target. */
export function casesOn(target: Target): readonly Case[] {
  return loadCases().filter(({ targets }) => targets.includes(target));
}

/** The cases of one file. @throws CaseFileError */
export function parseCases(file: string, text: string): readonly Case[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: true });
  if (documents.length === 0) throw new CaseFileError(`${file}: there is no case`);
  return documents.flatMap((document) => new Reader(file, document, lines).cases());
}

type Path = readonly (string | number)[];

class Reader {
  readonly #file: string;
  readonly #document: Document;
  readonly #lines: LineCounter;

  constructor(file: string, document: Document, lines: LineCounter) {
    this.#file = file;
    this.#document = document;
    this.#lines = lines;
  }

  cases(): readonly Case[] {
    const [broken] = this.#document.errors;
    if (broken !== undefined) throw new CaseFileError(`${this.#file}: ${broken.message}`);
    const parsed = v.safeParse(caseFile, this.#document.toJS());
    if (!parsed.success) throw this.#refuse(parsed.issues);
    const { flavours, ...given } = parsed.output;
    const checked = this.#check(given);
    return flavours.map((flavour) => ({
      ...checked,
      flavour,
      name: flavours.length === 1 ? given.id : `${given.id}[${flavour}]`,
      place: this.#place([]),
      history: this.#history(given.expect.history, flavour),
      alone: given.faults.length > 0,
    }));
  }

  #history(given: CaseFile["expect"]["history"], flavour: Flavour): readonly Entry[] | undefined {
    if (given === undefined) return undefined;
    const list = Array.isArray(given) ? given : given[flavour];
    const path: Path = Array.isArray(given)
      ? ["expect", "history"]
      : ["expect", "history", flavour];
    if (list === undefined) throw this.#error(["expect", "history"], `has no list for ${flavour}`);
    return list.map((entry, index) => this.#entry(entry, [...path, index]));
  }

  #entry(entry: string | Readonly<Record<string, unknown>>, path: Path): Entry {
    const line = this.#line(path);
    if (entry === "*") return { kind: "any", line };
    if (typeof entry === "string") return { kind: "event", type: entry, fields: {}, line };
    const [[type, fields] = ["", null], ...others] = Object.entries(entry);
    if (others.length > 0)
      throw this.#error(path, `has ${others.length + 1} event types: one is an entry`);
    if (type === "unordered" && Array.isArray(fields)) {
      const entries = fields.map((one, index) => this.#entry(one, [...path, type, index]));
      return {
        kind: "unordered",
        entries: entries.filter(({ kind }) => kind === "event") as never,
        line,
      };
    }
    if (typeof fields !== "object" || fields === null || Array.isArray(fields))
      throw this.#error([...path, type], "must be a mapping of the event's fields");
    return { kind: "event", type, fields: { ...fields }, line };
  }

  /** What no schema says: targets that cannot do it, and variables that say nothing. */
  #check(given: Omit<CaseFile, "flavours">): Omit<CaseFile, "flavours"> {
    const { targets, actions, afterwards, program, faults, expect } = given;
    const doing = [...actions, ...afterwards];
    const bodies = bodyActions(program);
    const bans: readonly (readonly [isUsed: boolean, field: string, only: readonly Target[]])[] = [
      [doing.some(({ advance }) => advance !== undefined), "advance", ["memory"]],
      [doing.some(({ cold }) => cold !== undefined), "cold", ["memory"]],
      [faults.length > 0, "faults", ["memory", "embedded"]],
      [
        bodies.some(({ reject_aside }) => reject_aside !== undefined),
        "reject_aside",
        ["embedded", "localstack"],
      ],
      [bodies.some(({ wait_for }) => wait_for !== undefined), "wait_for", ["memory", "embedded"]],
      [
        doing.some(({ until }) => until?.entered !== undefined),
        "until.entered",
        ["memory", "embedded"],
      ],
    ];
    for (const [isUsed, field, only] of bans) {
      const unable = targets.find((target) => !only.includes(target));
      if (isUsed && unable !== undefined)
        throw this.#error(
          ["targets"],
          `${field} exists on ${only.join(" and ")} only, not on ${unable}`,
        );
    }
    const usual = targets.includes("memory") && targets.includes("embedded");
    if (!usual && given.because === undefined)
      throw this.#error(["targets"], "leave out memory or embedded: say why in `because`");
    this.#checkVariables(expect, doing);
    return given;
  }

  /** A variable that stands in one place compares nothing: "*" says the same. */
  #checkVariables(expect: CaseFile["expect"], doing: CaseFile["actions"]): void {
    const times = (expect.elapsed ?? []).flatMap(({ from, to }) => [from, to]);
    const { history, ...others } = expect;
    const lists =
      history === undefined || Array.isArray(history) ? [history] : Object.values(history);
    for (const list of lists) {
      const names = [...variablesIn({ list, others, doing }), ...times];
      const lonely = names.find(
        (name) =>
          !PREDEFINED.includes(name) && names.filter((other) => other === name).length === 1,
      );
      if (lonely !== undefined)
        throw this.#error(
          ["expect"],
          `the variable ${lonely} is used once and compares nothing: write "*"`,
        );
    }
  }

  #refuse(issues: readonly v.BaseIssue<unknown>[]): CaseFileError {
    const reasons = issues.map((issue) => {
      const path = (issue.path ?? []).map(({ key }) => key as string | number);
      const unknown = issue.type === "strict_object" && issue.expected === "never";
      const missing = issue.type === "strict_object" && issue.received === "undefined";
      const reason = unknown ? "is no field here" : missing ? "is missing" : issue.message;
      return this.#error(path, reason).message;
    });
    return new CaseFileError(reasons.join("\n"));
  }

  #error(path: Path, reason: string): CaseFileError {
    const field = path.map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`)).join("");
    return new CaseFileError(
      `${this.#place(path)}: ${field.replace(/^\./u, "") || "the case"}: ${reason}`,
    );
  }

  #place(path: Path): string {
    return `${this.#file}:${this.#line(path)}`;
  }

  /** The line of a field, or of the nearest thing around it that has one. */
  #line(path: Path): number {
    for (let length = path.length; length >= 0; length--) {
      const node = this.#document.getIn(path.slice(0, length), true);
      const offset = isNode(node) ? node.range?.[0] : undefined;
      if (offset !== undefined) return this.#lines.linePos(offset).line;
    }
    return 1;
  }
}

/** Bound before a case begins: MODE is the event's execution_mode, LOCAL its local_activity. */
export const PREDEFINED: readonly string[] = ["MODE", "LOCAL", "RUN_ID", "WORKFLOW_ID"];

/** Every action of every body of a program, those of nested calls included. */
function bodyActions(program: readonly Step[] = []): readonly BodyAction[] {
  return program.flatMap((step) => {
    const bodies = (step.attempts ?? []).flat();
    const nested = bodies.flatMap(({ nested: call }) => (call === undefined ? [] : [call]));
    const inner = [
      ...(step.all ?? []).flat(),
      ...(step.race ?? []).flat(),
      ...(step.of ?? []),
      ...(step.begin ?? []),
      ...(step.try ?? []),
      ...(step.catch ?? []),
      ...(step.finally ?? []),
      ...(step.locally ?? []),
      ...nested,
    ];
    return [...bodies, ...bodyActions(inner)];
  });
}
