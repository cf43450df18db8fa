/** The command line: every command, argument and option, and which function does it. */
import { Argument, Command, Option } from "commander";
import { DUPLICATE_POLICIES, ID_REUSE_POLICIES } from "../core/api.ts";
import { type DevFlags, dev } from "./commands/dev.ts";
import {
  type HistoryFlags,
  type RunFlag,
  showHistory,
  showRun,
  showTimeline,
} from "./commands/inspect.ts";
import {
  askQuery,
  rebuildRun,
  type SignalFlags,
  type StopFlags,
  sendSignal,
  stopWorkflow,
} from "./commands/interact.ts";
import { type ListFlags, listWorkflows } from "./commands/list.ts";
import { doctor, type LocalStackFlags, localStack } from "./commands/machine.ts";
import { type RunFlags, runWorkflow, type StartFlags, startWorkflow } from "./commands/start.ts";
import type { ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";
import { type GlobalOptions, Session } from "./session.ts";
import type { Stacks } from "./stacks.ts";
import { packageVersion } from "./version.ts";

export interface Surroundings {
  readonly io: Io;
  readonly stacks: Stacks;
  /** Receives the exit code of the command that ran. */
  readonly onExit: (exitCode: ExitCode) => void;
}

/** What a command does, with what commander has parsed. */
type Work<Flags> = (session: Session, args: readonly string[], flags: Flags) => Promise<ExitCode>;

const ID = new Argument("<id>", "workflow id, or the beginning of exactly one");
const TYPE = new Argument("<type>", "the workflow's type: its `name`, else the name of its export");
const RUN = new Option("--run <run-id>", "an earlier run of this id; default: the current one");
const REASON = new Option("--reason <text>", "kept in the run's history");

export function createProgram(surroundings: Surroundings): Command {
  const { io, stacks } = surroundings;
  const program = globalProgram(io);
  const does = <Flags>(work: Work<Flags>) => {
    return async (...parsed: readonly unknown[]): Promise<void> => {
      const command = parsed.at(-1);
      if (!(command instanceof Command)) throw new TypeError("commander calls with its command");
      const session = new Session(io, command.optsWithGlobals<GlobalOptions>());
      surroundings.onExit(await work(session, command.args, command.opts<Flags & object>()));
    };
  };
  addDev(program, does, stacks);
  addStarting(program, does);
  addReading(program, does);
  addInteracting(program, does);
  addRepairing(program, does);
  addMachine(program, does, stacks);
  return program;
}

type Does = <Flags>(work: Work<Flags>) => (...parsed: readonly unknown[]) => Promise<void>;

function globalProgram(io: Io): Command {
  return new Command("pawl")
    .description("Durable workflows in TypeScript: run them here, and talk to them anywhere.")
    .version(packageVersion(), "-V, --version")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHelpWidth: () => io.stdout.columns,
      getErrHelpWidth: () => io.stderr.columns,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError(true)
    .addOption(
      new Option(
        "--api <url>",
        "address of the API; default: PAWL_API_URL, a running `pawl dev`, http://127.0.0.1:7400",
      ),
    )
    .addOption(
      new Option("-o, --output <format>", "data on standard output")
        .choices(["text", "json", "jsonl"])
        .default("text"),
    )
    .addOption(
      new Option("--time-format <format>", "times in text")
        .choices(["relative", "iso"])
        .default("relative"),
    )
    .addOption(
      new Option("--color <when>", "colours in text")
        .choices(["auto", "always", "never"])
        .default("auto"),
    );
}

function addDev(program: Command, does: Does, stacks: Stacks): void {
  program
    .command("dev")
    .description("Run workflows here: the whole stack in one process, state in .pawl, no account.")
    .argument("[entry]", "default: pawl.entry in package.json, src/worker.ts or worker.ts")
    .option("--port <port>", "port of the API; 0 takes a free one", "7400")
    .option("--data-dir <folder>", "where the state is kept", ".pawl")
    .option("--reset", "forget the state of before")
    .option("--no-watch", "do not reload when files change")
    .option("--queue <names...>", "activity queues besides default; default: pawl.queues")
    .option("--verbose", "show every line that the stack writes")
    .action(does<DevFlags>((session, [entry], flags) => dev(session, stacks, { ...flags, entry })));
}

function addStarting(program: Command, does: Does): void {
  startOptions(program.command("start").description("Start a workflow and return at once.")).action(
    does<StartFlags>((session, [type = ""], flags) => startWorkflow(session, type, flags)),
  );
  startOptions(
    program.command("run").description("Start a workflow, wait, and print its result as JSON."),
  )
    .option("--timeout <duration>", "stop waiting after this time; the run goes on")
    .action(does<RunFlags>((session, [type = ""], flags) => runWorkflow(session, type, flags)));
}

function startOptions(command: Command): Command {
  return command
    .addArgument(TYPE)
    .option("-i, --input <json>", "JSON, @file, or - for standard input; default: null")
    .option("--id <id>", "workflow id; default: a fresh one")
    .addOption(
      new Option("--duplicate-policy <policy>", "while a run of this id is open").choices(
        DUPLICATE_POLICIES,
      ),
    )
    .addOption(
      new Option("--id-reuse-policy <policy>", "when the last run of this id is closed").choices(
        ID_REUSE_POLICIES,
      ),
    )
    .option("--request-id <id>", "equal ids are one start, however often they are sent");
}

function addReading(program: Command, does: Does): void {
  program
    .command("ls")
    .alias("list")
    .description("List runs, the newest first.")
    .option("--status <statuses>", "one or more, such as running,failed")
    .option("--type <type>", "only workflows of this type")
    .option("--since <duration>", "only runs started in the last 30m, 1h, 2d …")
    .option("--limit <count>", "runs to show, 1 to 100", "20")
    .option("--cursor <cursor>", "go on where an earlier list ended")
    .option("--watch", "show the list again every two seconds")
    .action(does<ListFlags>((session, _args, flags) => listWorkflows(session, flags)));
  program
    .command("show")
    .description("Show one run: activities with attempts and times, what it waits for, its result.")
    .addArgument(ID)
    .addOption(RUN)
    .action(does<RunFlag>((session, [id = ""], flags) => showRun(session, id, flags)));
  program
    .command("timeline")
    .description("Show when things happened: local and queued attempts apart, then every event.")
    .addArgument(ID)
    .addOption(RUN)
    .action(does<RunFlag>((session, [id = ""], flags) => showTimeline(session, id, flags)));
  program
    .command("history")
    .description("Show every event of a run, one on a line.")
    .addArgument(ID)
    .addOption(RUN)
    .option("-f, --follow", "go on until the run is closed")
    .option("--export", "the whole run as one JSON bundle")
    .action(does<HistoryFlags>((session, [id = ""], flags) => showHistory(session, id, flags)));
}

function addInteracting(program: Command, does: Does): void {
  const values = new Argument("[args...]", "JSON, @file, or -; what is not JSON is a text");
  program
    .command("signal")
    .description("Send a signal; done when it is in the run's log.")
    .addArgument(ID)
    .argument("<name>", "the signal's name")
    .addArgument(values)
    .addOption(RUN)
    .option("--signal-id <id>", "equal ids are one signal, however often they are sent")
    .action(
      does<SignalFlags>((session, [id = "", name = "", ...args], flags) =>
        sendSignal(session, { id, name, args }, flags),
      ),
    );
  program
    .command("query")
    .description("Ask a workflow's query handler, and print the answer as JSON.")
    .addArgument(ID)
    .argument("<name>", "the query's name")
    .addArgument(values)
    .addOption(RUN)
    .action(
      does<RunFlag>((session, [id = "", name = "", ...args], flags) =>
        askQuery(session, { id, name, args }, flags),
      ),
    );
  for (const [how, description] of [
    ["cancel", "Ask a workflow to cancel; its code decides how it ends."],
    ["terminate", "End a workflow at once, without its code."],
  ] as const)
    program
      .command(how)
      .description(description)
      .addArgument(ID)
      .addOption(RUN)
      .addOption(REASON)
      .action(
        does<StopFlags>((session, [id = ""], flags) => stopWorkflow(session, { id, how }, flags)),
      );
}

function addRepairing(program: Command, does: Does): void {
  program
    .command("rebuild")
    .description("Write the rows of a run's activities again, from its log.")
    .addArgument(ID)
    .addOption(RUN)
    .action(does<RunFlag>((session, [id = ""], flags) => rebuildRun(session, id, flags)));
}

function addMachine(program: Command, does: Does, stacks: Stacks): void {
  program
    .command("localstack")
    .description("Find or start LocalStack, and print its endpoint. It keeps running.")
    .option("--port <port>", "default: 4566")
    .option("--stop", "end the one that was started here")
    .action(does<LocalStackFlags>((session, _args, flags) => localStack(session, stacks, flags)));
  program
    .command("doctor")
    .description("Say what this machine can run, and why not.")
    .action(does((session) => doctor(session, stacks)));
}
