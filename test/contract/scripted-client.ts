/** A client of a service that answers or throws what a test says, and keeps what it was sent. */
export interface ScriptedClient<Output> {
  readonly inputs: readonly unknown[];
  send(command: { readonly input: object }): Promise<Output>;
}

/** Answers in turn; the last one repeats. An answer that is an Error is thrown. */
export function scripted<Output>(...answers: readonly (Output | Error)[]): ScriptedClient<Output> {
  const inputs: unknown[] = [];
  return {
    inputs,
    async send({ input }) {
      const answer = answers[Math.min(inputs.length, answers.length - 1)];
      inputs.push(input);
      if (answer === undefined) throw new Error("no answer was given");
      if (answer instanceof Error) throw answer;
      return answer;
    },
  };
}

/** An exception of the AWS SDK, known by its name. */
export function serviceError(
  name: string,
  metadata: { readonly httpStatusCode?: number; readonly attempts?: number } = {},
): Error {
  return Object.assign(new Error(`${name} happened`), { name, $metadata: metadata });
}

/** An error of the operating system, known by its code. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`connect ${code}`), { code });
}
