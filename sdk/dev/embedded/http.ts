/** The parts of HTTP that both servers of the stack share. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

export interface HttpServer {
  readonly url: string;
  stop(): Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string | Buffer;
}

/** Serves on the loopback interface; port 0 takes a free one. */
export async function serve(
  port: number,
  handle: (request: IncomingMessage) => Promise<Answer>,
): Promise<HttpServer> {
  const server = createServer((request, response) => {
    void handle(request).then(
      (answer) => respond(response, answer),
      () => respond(response, jsonAnswer(500, { message: "Internal server error" })),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const address = server.address();
  const listening = typeof address === "object" && address !== null ? address.port : port;
  return {
    url: `http://127.0.0.1:${listening}`,
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

export function jsonAnswer(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return {
    status,
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  };
}

/** The request's body, or undefined when it has more than `bytesMax` bytes. */
export async function readBody(
  request: IncomingMessage,
  bytesMax: number,
): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    // The rest is read and dropped, so that the caller gets the answer instead of a broken pipe.
    if (bytes <= bytesMax) chunks.push(chunk);
  }
  return bytes <= bytesMax ? Buffer.concat(chunks) : undefined;
}

function respond(response: ServerResponse, { status, headers, body }: Answer): void {
  for (const [name, value] of Object.entries(headers))
    response.setHeader(name, typeof value === "string" ? value : [...value]);
  response.statusCode = status;
  response.end(body);
}
