import type { CommandResult } from "../../sdk/dev/localstack/command.ts";
import type { Machine } from "../../sdk/dev/localstack/machine.ts";

/** What each command answers, by its command line's beginning; the longest match wins, the rest is missing. */
export type Answers = Readonly<Record<string, Partial<CommandResult>>>;

export interface FakeMachine extends Machine {
  readonly ran: string[];
}

export function fakeMachine(
  answers: Answers,
  more: { readonly env?: Record<string, string>; readonly folders?: Record<string, string[]> } = {},
): FakeMachine {
  const ran: string[] = [];
  return {
    platform: "linux",
    homeFolder: "/home/me",
    env: more.env ?? {},
    ran,
    run: async (command, args) => {
      const line = [command, ...args].join(" ");
      ran.push(line);
      const [key] = Object.keys(answers)
        .filter((start) => line === start || line.startsWith(`${start} `))
        .sort((one, other) => other.length - one.length);
      const missing: CommandResult = { status: "missing", stdout: "", stderr: "" };
      return key === undefined ? missing : { ...missing, status: 0, ...answers[key] };
    },
    list: async (folder) => more.folders?.[folder] ?? [],
  };
}
