/** `pawl dev`: the embedded stack in the foreground, reloaded when the user's files change. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import type { LogLine } from "../../dev/embedded/log.ts";
import type { DevStack } from "../dev-stack.ts";
import { findEntry, readSettings } from "../entry.ts";
import { CommandError, EXIT, type ExitCode, endingOf, shellWord } from "../exit.ts";
import { count } from "../input.ts";
import type { Io } from "../io.ts";
import type { Session } from "../session.ts";
import type { Stacks } from "../stacks.ts";
import { DEV_STATE_FILE, type DevState } from "../target.ts";
import { plain, plainLines } from "../text.ts";
import { durationText } from "../times.ts";

export interface DevFlags {
  readonly port: string;
  readonly dataDir: string;
  readonly reset?: boolean;
  /** False with --no-watch. */
  readonly watch: boolean;
  readonly queue?: readonly string[];
  readonly verbose?: boolean;
}

const PORT_MAX = 65_535;

export async function dev(
  session: Session,
  stacks: Stacks,
  flags: DevFlags & { readonly entry: string | undefined },
): Promise<ExitCode> {
  const { io } = session;
  const settings = readSettings(io.cwd);
  const entry = findEntry(flags.entry, settings, io.cwd);
  const port = count("--port", flags.port, 0, PORT_MAX);
  // Asked for before anything runs, so that Ctrl-C during the start ends it in order.
  const interrupted = untilAborted(io.interrupted);
  const startedMs = io.clock.now();
  const stack = await stacks
    .startEmbedded({
      entry,
      dataDir: resolve(io.cwd, flags.dataDir),
      reset: flags.reset ?? false,
      port,
      queues: flags.queue ?? settings.queues,
      environment: userEnvironment(io),
      onLog: (line) => showLog(session, line, flags.verbose ?? false),
    })
    .catch((error: unknown) => {
      throw startError(error, port);
    });
  const stateFile = join(io.cwd, DEV_STATE_FILE);
  const reloading = flags.watch ? reloadOnChange(session, stacks, stack) : undefined;
  try {
    writeState(stateFile, { api: stack.apiUrl, pid: process.pid });
    const tookMs = io.clock.now() - startedMs;
    await announce(session, stack, { entry, tookMs, dataDir: flags.dataDir, watch: flags.watch });
    await interrupted;
  } finally {
    rmSync(stateFile, { force: true });
    await reloading?.stop();
    await stack.stop();
  }
  session.note("stopped; the state is kept: pawl dev goes on with it");
  return EXIT.ok;
}

interface Announcement {
  readonly entry: string;
  readonly tookMs: number;
  readonly dataDir: string;
  readonly watch: boolean;
}

/** The address is data; the rest is for the person in front of it. */
async function announce(session: Session, stack: DevStack, about: Announcement): Promise<void> {
  const types = await stack.workflowTypes();
  if (!session.isText) {
    session.json({ api: stack.apiUrl, entry: about.entry, workflow_types: types });
    return;
  }
  const { bold, dim } = session.colors;
  const watched = about.watch ? ", reloaded when it changes" : "";
  const type = shellWord(types[0] ?? "<type>");
  session.line(`${bold("pawl dev")} is ready after ${durationText(about.tookMs)}`);
  session.line();
  session.line(`  API        ${stack.apiUrl}`);
  session.line(`  entry      ${relative(session.io.cwd, about.entry)}${watched}`);
  session.line(`  workflows  ${types.length === 0 ? "none" : types.map(plain).join(", ")}`);
  session.line(`  state      ${about.dataDir} ${dim("(pawl dev --reset forgets it)")}`);
  session.line();
  session.line("In another terminal:");
  session.line();
  session.line(`  pawl run ${type} --id first -i '{}'`);
  session.line("  pawl show first");
  session.line("  pawl ls");
  session.line();
}

/** One reload at a time; what changes meanwhile leads to another one. */
function reloadOnChange(
  session: Session,
  stacks: Stacks,
  stack: DevStack,
): { readonly stop: () => Promise<void> } {
  let stopped = false;
  let changed = false;
  let reloading: Promise<void> | undefined;
  let endWatching = stacks.watchFiles(stack.inputs(), onChange);
  function onChange(): void {
    changed = true;
    reloading ??= Promise.resolve()
      .then(reloadAll)
      .finally(() => {
        reloading = undefined;
      });
  }
  async function reloadAll(): Promise<void> {
    while (changed && !stopped) {
      changed = false;
      await reload(session, stack);
      endWatching();
      // The new code may have files in other folders.
      endWatching = stacks.watchFiles(stack.inputs(), onChange);
    }
  }
  return {
    stop: async () => {
      stopped = true;
      await reloading;
      endWatching();
    },
  };
}

async function reload(session: Session, stack: DevStack): Promise<void> {
  const startedMs = session.io.clock.now();
  try {
    await stack.reload();
    session.note(`reloaded in ${durationText(session.io.clock.now() - startedMs)}`);
  } catch (error) {
    const { message = "the reload failed", hint } = endingOf(error);
    session.note(`error: ${plainLines(message)}`);
    session.note("the code from before goes on running");
    if (hint !== undefined) session.note(`try: ${plain(hint)}`);
  }
}

/** What user code prints is shown as it is; Pawl's own lines only when something is wrong. */
function showLog(session: Session, line: LogLine, verbose: boolean): void {
  const level = line.fields?.["level"];
  const isQuiet = line.fields !== undefined || line.source === "stack";
  const isBad = line.level === "error" || (typeof level === "string" && /^warn/i.test(level));
  if (isQuiet && !isBad && !verbose) return;
  const { dim, red } = session.colors;
  const message = line.fields?.["message"];
  const short = typeof message === "string" && !verbose;
  const code = line.fields?.["code"] ?? line.fields?.["reason"];
  const detail = short && typeof code === "string" ? ` (${code})` : "";
  const text = plain(short ? `${message}${detail}` : line.text);
  session.note(`${dim(line.source)}  ${line.level === "error" ? red(text) : text}`);
}

/**
 * What user code finds in its environment: the terminal's, as with any program that is run in it,
 * without what would lead its AWS calls to the user's own account or change how Node starts.
 */
function userEnvironment(io: Io): Readonly<Record<string, string>> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(io.env))
    if (value !== undefined && !/^(AWS|PAWL|NODE|npm)_/.test(name)) kept[name] = value;
  return kept;
}

function startError(error: unknown, port: number): unknown {
  const inUse = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
  if (!inUse) return error;
  const message = `another program listens on port ${port}`;
  return new CommandError(message, `pawl dev --port ${port + 1}`);
}

function writeState(file: string, state: DevState): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(state)}\n`);
}

function untilAborted(signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<void>();
  if (signal.aborted) aborted.resolve();
  signal.addEventListener("abort", () => aborted.resolve(), { once: true });
  return aborted.promise;
}
