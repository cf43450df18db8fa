/** Network, files and processes are refused by name in guarded workflow code: they belong into activities (B-01). */
import childProcess from "node:child_process";
import dgram from "node:dgram";
import dns from "node:dns";
import fs from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import net from "node:net";
import tls from "node:tls";
import { runOutsideScope } from "../scope.ts";
import { guardedScope, intercept, refusal, refuse } from "./intercept.ts";

const INSTEAD = "do it in an activity and await the activity";

export function guardOutsideWorld(): void {
  guardConsole();
  refuse(globalThis, ["fetch"], { prefix: "", instead: INSTEAD });
  refuseConstructor("WebSocket");
  for (const { name, module, functions } of refusedModules())
    refuse(module, functions, { prefix: `${name} `, instead: INSTEAD });
  // Under every client that keeps a socket of its own.
  refuse(net.Socket.prototype, ["connect"], { prefix: "net.Socket.", instead: INSTEAD });
  refuse(process, ["exit", "abort", "kill", "chdir"], {
    prefix: "process.",
    instead: "return from the workflow function, or throw",
  });
}

interface RefusedModule {
  readonly name: string;
  readonly module: object;
  readonly functions: readonly string[];
}

function refusedModules(): readonly RefusedModule[] {
  const ofServers = ["createServer"];
  return [
    { name: "node:fs", module: fs, functions: functionsOf(fs) },
    { name: "node:fs/promises", module: fs.promises, functions: functionsOf(fs.promises) },
    { name: "node:child_process", module: childProcess, functions: functionsOf(childProcess) },
    { name: "node:dns", module: dns, functions: functionsOf(dns) },
    { name: "node:dns/promises", module: dns.promises, functions: functionsOf(dns.promises) },
    { name: "node:http", module: http, functions: ["request", "get", ...ofServers] },
    { name: "node:https", module: https, functions: ["request", "get", ...ofServers] },
    {
      name: "node:http2",
      module: http2,
      functions: ["connect", "createSecureServer", ...ofServers],
    },
    { name: "node:net", module: net, functions: ["connect", "createConnection", ...ofServers] },
    { name: "node:tls", module: tls, functions: ["connect", ...ofServers] },
    { name: "node:dgram", module: dgram, functions: ["createSocket"] },
  ];
}

/** The functions of a module; its classes begin with a capital letter and do nothing by themselves. */
function functionsOf(module: object): readonly string[] {
  return Object.keys(module).filter(
    (key) => /^[a-z]/.test(key) && typeof Reflect.get(module, key) === "function",
  );
}

/**
 * Lines of the console are written outside of the scope: they carry the real time, and a console that
 * writes to a file, as Lambda's does, may use the file system.
 */
function guardConsole(): void {
  // Opened now, because Node loads what they write with at their first use.
  void process.stdout;
  void process.stderr;
  for (const key of functionsOf(console))
    intercept(console, key, (_scope, _args, original) => runOutsideScope(original));
}

function refuseConstructor(name: "WebSocket"): void {
  const native: unknown = Reflect.get(globalThis, name);
  if (typeof native !== "function") return;
  const guarded = new Proxy(native, {
    construct: (target, args, newTarget) => {
      if (guardedScope() !== undefined) throw refusal(`new ${name}()`, INSTEAD);
      return Reflect.construct(target, args, newTarget);
    },
  });
  Object.defineProperty(globalThis, name, {
    value: guarded,
    writable: true,
    configurable: true,
    enumerable: false,
  });
}
