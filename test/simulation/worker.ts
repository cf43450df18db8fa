/** One process of a crew: takes a job, sends what it came to, takes the next. */
import { type Job, work } from "./jobs.ts";

process.on("message", (job: Job) => {
  void work(job).then((tally) => process.send?.(tally));
});
