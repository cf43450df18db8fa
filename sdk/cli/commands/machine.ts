/** `pawl localstack` and `pawl doctor`: what this machine can run. */
import { CommandError, EXIT, type ExitCode } from "../exit.ts";
import { count } from "../input.ts";
import type { Session } from "../session.ts";
import type { Diagnosis, Stacks } from "../stacks.ts";
import { cell, plain, plainLines } from "../text.ts";

export interface LocalStackFlags {
  readonly port?: string;
  readonly stop?: boolean;
}

const PORT_MAX = 65_535;

/** Finds or starts LocalStack and leaves it running; the endpoint is the data. */
export async function localStack(
  session: Session,
  stacks: Stacks,
  flags: LocalStackFlags,
): Promise<ExitCode> {
  const port = flags.port === undefined ? {} : { port: count("--port", flags.port, 1, PORT_MAX) };
  if (flags.stop === true) {
    const stopped = await stacks.stopLocalStack(port);
    if (session.isText)
      session.note(stopped ? "LocalStack is stopped" : "no LocalStack was running");
    else session.json({ stopped });
    return EXIT.ok;
  }
  const instance = await stacks
    .startLocalStack({ ...port, onProgress: (line) => session.note(plain(line)) })
    .catch((error: unknown) => {
      if (!isUnavailable(error)) throw error;
      throw new CommandError(error.message, "pawl doctor", EXIT.unreachable);
    });
  const { endpoint, how, pid } = instance;
  if (session.isText) {
    session.line(endpoint);
    session.note(`export PAWL_LOCALSTACK_ENDPOINT=${endpoint}`);
    const stop = `pawl localstack${flags.port === undefined ? "" : ` --port ${flags.port}`} --stop`;
    if (how !== "endpoint") session.note(`it keeps running; end it with: ${stop}`);
  } else session.json({ endpoint, how, pid: pid ?? null });
  return EXIT.ok;
}

/** By its code: importing the class would load the host for every command. */
function isUnavailable(error: unknown): error is Error {
  return error instanceof Error && "code" in error && error.code === "localstack_unavailable";
}

/** What a part of the machine is needed for. */
interface Section {
  readonly title: string;
  readonly diagnoses: readonly Diagnosis[];
}

/** Succeeds when the embedded stack can run; the rest is told, and is nobody's duty. */
export async function doctor(session: Session, stacks: Stacks): Promise<ExitCode> {
  const [embedded, local, api] = await Promise.all([
    stacks.diagnoseEmbedded(),
    stacks.diagnoseLocalStack(),
    diagnoseApi(session),
  ]);
  const sections: readonly Section[] = [
    { title: "embedded stack (pawl dev)", diagnoses: embedded },
    { title: "LocalStack (pawl localstack)", diagnoses: local },
    { title: "API", diagnoses: [api] },
  ];
  if (session.isText) for (const section of sections) print(session, section);
  else session.json({ embedded, localstack: local, api });
  const broken = embedded.filter(({ ok }) => !ok);
  if (broken.length === 0) return EXIT.ok;
  const names = broken.map(({ name }) => name).join(", ");
  throw new CommandError(
    `the embedded stack cannot run here: ${names}`,
    broken.find(({ hint }) => hint !== undefined)?.hint ?? "correct what is named above",
  );
}

async function diagnoseApi(session: Session): Promise<Diagnosis> {
  const { url, from } = session.target;
  const name = "api";
  try {
    await session.client.health();
    return { name, ok: true, detail: `${url} (from ${from}) answers` };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    const hint = "pawl dev, or PAWL_API_URL with the address of a deployed API";
    return { name, ok: false, detail: `${detail} (address from ${from})`, hint };
  }
}

function print(session: Session, section: Section): void {
  const { bold, green, yellow, dim } = session.colors;
  session.line(bold(section.title));
  for (const { name, ok, detail, hint } of section.diagnoses) {
    const mark = ok ? green("ok") : yellow("no");
    session.line(`  ${mark}  ${cell(name, 20)} ${plainLines(detail)}`);
    if (hint !== undefined) session.line(dim(`      ${cell("", 20)} try: ${plain(hint)}`));
  }
}
