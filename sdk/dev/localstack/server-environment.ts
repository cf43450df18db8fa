/** The environment of LocalStack: as quick and as quiet as its settings allow, and the same on every machine. */
import type { Environment } from "./command.ts";

export type ExtraEnvironment = Readonly<Record<string, string>>;

/** What holds for both ways of starting it. */
function sharedSettings(): Readonly<Record<string, string>> {
  return {
    // Memory only: a stack is deployed anew, and its data is a test's.
    DYNAMODB_IN_MEMORY: "1",
    SQS_ENDPOINT_STRATEGY: "path",
    // The default backs off to ten seconds when a queue is empty.
    LAMBDA_EVENT_SOURCE_MAPPING_POLL_INTERVAL_SEC: "0.05",
    LAMBDA_EVENT_SOURCE_MAPPING_MAX_BACKOFF_ON_EMPTY_POLL_SEC: "0.2",
    // Nothing leaves the machine: no certificate download, no usage events.
    SKIP_SSL_CERT_DOWNLOAD: "1",
    DISABLE_EVENTS: "1",
    LS_LOG: "warn",
  };
}

interface ProcessSettings {
  readonly port: number;
  readonly instanceFolder: string;
  readonly dynamodbLocal: string;
  readonly java: string;
  readonly node: string;
  readonly machineEnv: Environment;
  readonly extra: ExtraEnvironment;
}

// Nothing else of the caller's environment gets in: AWS_PROFILE, DEBUG, SERVICES, a proxy or another
// Python environment would each change what LocalStack does.
const inherited = [
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "SHELL",
  "LANG",
  "LC_ALL",
  "LC_CTYPE",
  "JAVA_HOME",
  "JAVA_TOOL_OPTIONS",
  "LD_LIBRARY_PATH",
  "DYLD_LIBRARY_PATH",
];

export function processEnvironment(settings: ProcessSettings): Readonly<Record<string, string>> {
  const { port, instanceFolder, machineEnv } = settings;
  const address = `127.0.0.1:${port}`;
  return {
    ...Object.fromEntries(
      inherited.flatMap((name) => {
        const value = machineEnv[name];
        return value === undefined ? [] : [[name, value]];
      }),
    ),
    ...sharedSettings(),
    // An address, because *.localhost.localstack.cloud needs a name server; it also makes S3 path-style.
    GATEWAY_LISTEN: address,
    LOCALSTACK_HOST: address,
    DNS_ADDRESS: "0",
    FILESYSTEM_ROOT: `${instanceFolder}/state`,
    TMPDIR: `${instanceFolder}/tmp`,
    LAMBDA_RUNTIME_EXECUTOR: "process",
    LAMBDA_NODE: settings.node,
    PAWL_LAMBDA_LOGS: `${instanceFolder}/lambda-logs`,
    PAWL_DYNAMODB_LOCAL: settings.dynamodbLocal,
    PAWL_DYNAMODB_LOG: `${instanceFolder}/dynamodb.log`,
    PAWL_JAVA: settings.java,
    PYTHONUNBUFFERED: "1",
    ...settings.extra,
  };
}

export function dockerEnvironment(
  port: number,
  machineEnv: Environment,
  extra: ExtraEnvironment,
): Readonly<Record<string, string>> {
  const token = machineEnv["LOCALSTACK_AUTH_TOKEN"];
  return {
    ...sharedSettings(),
    // The same port inside and outside, so that the URLs that LocalStack gives are right on both sides.
    // Its host name stays the default: the containers of functions resolve it to LocalStack.
    GATEWAY_LISTEN: `0.0.0.0:${port}`,
    LOCALSTACK_HOST: `localhost.localstack.cloud:${port}`,
    ...(token ? { LOCALSTACK_AUTH_TOKEN: token } : {}),
    ...extra,
  };
}
