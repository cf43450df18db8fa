import { expect, test } from "vitest";
import {
  dockerEnvironment,
  processEnvironment,
} from "../../sdk/dev/localstack/server-environment.ts";

const settings = {
  port: 4999,
  instanceFolder: "/cache/4999",
  dynamodbLocal: "/cache/dynamodb-local",
  java: "java",
  node: "/bin/node",
  machineEnv: {},
  extra: {},
};

test("of the caller's environment only what the processes need gets in", () => {
  const machineEnv = {
    PATH: "/bin",
    AWS_PROFILE: "production",
    AWS_SECRET_ACCESS_KEY: "real",
    DEBUG: "*",
    HTTP_PROXY: "http://proxy",
    SERVICES: "s3",
    LOCALSTACK_AUTH_TOKEN: "t",
  };
  const names = Object.keys(processEnvironment({ ...settings, machineEnv }));
  expect(names).toContain("PATH");
  for (const name of Object.keys(machineEnv).slice(1)) expect(names).not.toContain(name);
});

test("every address is an address, so that no name server is needed", () => {
  expect(processEnvironment(settings)).toMatchObject({
    GATEWAY_LISTEN: "127.0.0.1:4999",
    LOCALSTACK_HOST: "127.0.0.1:4999",
    SQS_ENDPOINT_STRATEGY: "path",
    DNS_ADDRESS: "0",
  });
});

test("extra environment has the last word, in both ways", () => {
  const extra = { DYNAMODB_ERROR_PROBABILITY: "0.2", LS_LOG: "debug" };
  expect(processEnvironment({ ...settings, extra })).toMatchObject(extra);
  expect(dockerEnvironment(4999, {}, extra)).toMatchObject(extra);
});

test("an account token is honoured by Docker when it is set and never required", () => {
  expect(dockerEnvironment(1, { LOCALSTACK_AUTH_TOKEN: "t" }, {})).toHaveProperty(
    "LOCALSTACK_AUTH_TOKEN",
  );
  expect(dockerEnvironment(1, {}, {})).not.toHaveProperty("LOCALSTACK_AUTH_TOKEN");
});
