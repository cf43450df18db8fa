import { simulate } from "../test/simulation/simulation.ts";
const [from, n, profile, trace] = [Number(process.argv[2]), Number(process.argv[3]), process.argv[4] as "random", process.argv[5]];
const t = performance.now();
for (let s = from; s < from + n; s++) {
  const r = await simulate({ seed: s, profile, ...(trace ? { print: (l: string) => console.log(l) } : {}) });
  if (r.violations.length > 0 || trace) console.log(s, r.programs.join(), r.hash, r.operations, r.virtualMs, JSON.stringify(r.violations.slice(0, 2)));
}
console.log(n / ((performance.now() - t) / 1000), "seeds/s");
