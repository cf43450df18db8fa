/**
 * Injected dependencies (O-01 to O-05): values that providers make once per process, which all
 * activities share, and which are cleaned up when the process ends.
 *
 * `depends()` stands as the default value of a parameter, where nothing can be awaited, and a
 * provider may be asynchronous. So a call whose dependency is not there yet ends at that parameter,
 * before its body began; the dependency is made; and the call is made again.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { pawlError } from "../core/errors.ts";

/** A function that makes a dependency; a generator yields it and goes on with the cleaning up. */
export type Provider = () => unknown;

/** What a provider provides. */
export type Provided<P extends Provider> =
  ReturnType<P> extends AsyncGenerator<infer T> | Generator<infer T> ? T : Awaited<ReturnType<P>>;

declare const injected: unique symbol;
/** A value that Pawl passes: a parameter of this type is not part of the activity's call (O-04). */
export type Injected<T> = T & { readonly [injected]?: true };

type IsAny<T> = 0 extends 1 & T ? true : false;
type IsInjected<T> =
  IsAny<T> extends true ? false : typeof injected extends keyof NonNullable<T> ? true : false;
type AreInjected<A extends readonly unknown[]> = A extends readonly [
  _?: infer First,
  ...rest: infer Rest,
]
  ? A extends readonly []
    ? true
    : IsInjected<First> extends true
      ? AreInjected<Rest>
      : false
  : false;

/** A list of parameters without the injected ones at its end. */
export type WithoutInjected<A extends readonly unknown[]> = number extends A["length"]
  ? A
  : A extends readonly []
    ? []
    : AreInjected<A> extends true
      ? []
      : A extends readonly [_?: unknown, ...rest: infer Rest]
        ? A extends readonly [...head: infer Head, ...rest: Rest]
          ? [...Head, ...WithoutInjected<Rest>]
          : never
        : never;

/** Ends a call whose dependency is not made yet. Never leaves this file. */
class MissingDependency extends Error {
  readonly provider: Provider;

  constructor(provider: Provider) {
    super(`the dependency ${providerName(provider)} is not made yet; awaiting the call makes it`);
    this.provider = provider;
  }
}

/** The synchronous beginning of a call: the only time at which default values are evaluated. */
interface Beginning {
  missing: MissingDependency | undefined;
  readonly found: Set<Provider>;
}

interface Dependency {
  readonly provider: Provider;
  readonly settled: PromiseWithResolvers<void>;
  made: { readonly value: unknown; readonly cleanUp: () => unknown } | undefined;
  /** The dependency that this one's provider waits for. */
  waitsFor: Dependency | undefined;
}

/** Milliseconds that cleaning up may take after SIGTERM; Lambda kills after two seconds. */
const CLEAN_UP_MS_MAX = 1_900;

const dependencies = new Map<Provider, Dependency>();
/** In the order in which they were ready: cleaned up from the end. */
let ready: Dependency[] = [];
const overrides = new Map<Provider, Provider>();
let beginning: Beginning | undefined;
let hooksInstalled = false;
/** The context of the process: a pool made for one activity must not keep that activity's scope. */
const inProcessContext = AsyncLocalStorage.snapshot();

/**
 * The value that `provider` makes: once per process, at the first call that needs it, shared by all
 * activities, queued and local alike (O-01, O-03). Write it only as the default value of a trailing
 * parameter of an activity or of another provider:
 *
 * ```ts
 * const charge = activity({}, async (order: Order, db = depends(getDb)) => { … });
 * ```
 *
 * A provider is a function, synchronous or not, or a generator that yields the value and cleans up
 * after the `yield`; a value with `Symbol.dispose` or `Symbol.asyncDispose` is disposed (O-02).
 * Cleaning up happens at SIGTERM, when the process ends by itself, and in
 * {@link disposeDependencies}. The value must be safe for concurrent use. Until it is made, the
 * default values that stand before it are evaluated again; a body never is.
 *
 * @throws PawlError depends_misplaced, dependency_cycle, provider_unstable; what the provider throws
 * fails the attempt
 */
export function depends<P extends Provider>(provider: P): Injected<Provided<P>> {
  if (beginning === undefined)
    throw pawlError("depends_misplaced", { provider: providerName(provider) });
  const effective = overrides.get(provider) ?? provider;
  const made = dependencies.get(effective)?.made;
  // The map is keyed by the provider, so its value has the provider's type.
  if (made !== undefined) {
    beginning.found.add(effective);
    return made.value as Injected<Provided<P>>;
  }
  beginning.missing = new MissingDependency(effective);
  throw beginning.missing;
}

/** Ends an override of {@link overrideDependency}; also at the end of a `using` declaration. */
export interface DependencyOverride {
  restore(): void;
  [Symbol.dispose](): void;
}

/** For tests (O-05): until it is restored, `depends(provider)` gives what `replacement` makes. */
export function overrideDependency<P extends Provider>(
  provider: P,
  replacement: () => Provided<P> | Promise<Provided<P>>,
): DependencyOverride {
  overrides.set(provider, replacement);
  const restore = () => {
    if (overrides.get(provider) === replacement) overrides.delete(provider);
  };
  return { restore, [Symbol.dispose]: restore };
}

/**
 * Cleans up all dependencies, the last one made first. Later calls make them anew.
 * @throws AggregateError of what the cleaning up threw, after all of it has been tried
 */
export async function disposeDependencies(): Promise<void> {
  await Promise.allSettled([...dependencies.values()].map(({ settled }) => settled.promise));
  const disposed = ready.reverse();
  ready = [];
  for (const { provider } of disposed) dependencies.delete(provider);
  const errors: unknown[] = [];
  for (const { made } of disposed) {
    try {
      await made?.cleanUp();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw new AggregateError(errors, "dependencies could not be cleaned up");
}

/** Calls a function whose parameters may have dependencies as default values, once they are made. */
export async function callWithDependencies(
  call: () => unknown,
  caller?: Dependency,
): Promise<unknown> {
  for (let obtained: Provider | undefined; ; ) {
    const own: Beginning = { missing: undefined, found: new Set() };
    const returned = begin(call, own);
    if (own.missing === undefined) return await returned;
    await expectMissing(returned, own.missing);
    const { provider } = own.missing;
    // A provider written in place is a new function at each call: it would be made for ever.
    if (obtained !== undefined && obtained !== provider && !own.found.has(obtained))
      throw pawlError("provider_unstable", { provider: providerName(provider) });
    await obtain(provider, caller);
    obtained = provider;
  }
}

function begin(call: () => unknown, own: Beginning): unknown {
  const outer = beginning;
  beginning = own;
  try {
    return call();
  } catch (error) {
    if (error === own.missing) return Promise.reject(error);
    throw error;
  } finally {
    beginning = outer;
  }
}

/** A call that caught the marker has run its body, and must not be made again. */
async function expectMissing(returned: unknown, missing: MissingDependency): Promise<void> {
  try {
    await returned;
  } catch (error) {
    if (error === missing) return;
    throw error;
  }
  throw pawlError("depends_misplaced", { provider: providerName(missing.provider) });
}

async function obtain(provider: Provider, caller: Dependency | undefined): Promise<void> {
  const dependency = dependencies.get(provider) ?? make(provider);
  if (caller === undefined) return await dependency.settled.promise;
  refuseCycle(dependency, caller);
  caller.waitsFor = dependency;
  try {
    await dependency.settled.promise;
  } finally {
    caller.waitsFor = undefined;
  }
}

/** Two calls can each have begun one half of a circle, so what is waited for is followed, not a stack. */
function refuseCycle(dependency: Dependency, caller: Dependency): void {
  const chain = [caller.provider];
  for (let next: Dependency | undefined = dependency; next; next = next.waitsFor) {
    chain.push(next.provider);
    if (next === caller)
      throw pawlError("dependency_cycle", { chain: chain.map(providerName).join(" → ") });
  }
}

function make(provider: Provider): Dependency {
  const dependency: Dependency = {
    provider,
    settled: Promise.withResolvers(),
    made: undefined,
    waitsFor: undefined,
  };
  dependencies.set(provider, dependency);
  inProcessContext(initialise, dependency).then(
    () => dependency.settled.resolve(),
    (error: unknown) => {
      // Not kept: the next attempt asks the provider again.
      dependencies.delete(provider);
      dependency.settled.reject(error);
    },
  );
  return dependency;
}

async function initialise(dependency: Dependency): Promise<void> {
  const returned = await callWithDependencies(dependency.provider, dependency);
  if (!isGenerator(returned)) {
    dependency.made = { value: returned, cleanUp: () => disposeValue(returned) };
  } else {
    const first = await returned.next();
    dependency.made = { value: first.value, cleanUp: () => finishGenerator(returned) };
  }
  ready.push(dependency);
  installHooks();
}

type AnyGenerator =
  | Generator<unknown, unknown, unknown>
  | AsyncGenerator<unknown, unknown, unknown>;

function isGenerator(value: unknown): value is AnyGenerator {
  const tag = Object.prototype.toString.call(value);
  return tag === "[object Generator]" || tag === "[object AsyncGenerator]";
}

/** Code after the `yield` runs by going on; a second `yield` is one too many and is ended there. */
async function finishGenerator(generator: AnyGenerator): Promise<void> {
  const next = await generator.next();
  if (next.done !== true) await generator.return(undefined);
}

async function disposeValue(value: unknown): Promise<void> {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return;
  const dispose: unknown =
    Reflect.get(value, Symbol.asyncDispose) ?? Reflect.get(value, Symbol.dispose);
  if (typeof dispose === "function") await Reflect.apply(dispose, value, []);
}

function installHooks(): void {
  if (hooksInstalled) return;
  hooksInstalled = true;
  process.on("beforeExit", () => void cleanUpAtEnd());
  process.once("SIGTERM", () => {
    // A listener takes the signal's effect away, so it is sent again unless others wait for it too.
    const others = process.listenerCount("SIGTERM") > 0;
    const end = () => (others ? undefined : process.kill(process.pid, "SIGTERM"));
    const late = setTimeout(end, CLEAN_UP_MS_MAX);
    void cleanUpAtEnd().then(() => {
      clearTimeout(late);
      end();
    });
  });
}

async function cleanUpAtEnd(): Promise<void> {
  try {
    await disposeDependencies();
  } catch (error) {
    process.emitWarning(error instanceof Error ? error : String(error));
  }
}

function providerName(provider: Provider): string {
  return provider.name === "" ? "an anonymous provider" : provider.name;
}
