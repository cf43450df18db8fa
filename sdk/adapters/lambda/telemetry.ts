/** Structured logs and metrics in CloudWatch's embedded format: lines on standard output, no calls. */
import { Logger } from "@aws-lambda-powertools/logger";
import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import type { Telemetry } from "../../ports/telemetry.ts";

const METRICS_NAMESPACE = "Pawl";
const SERVICE = "pawl";

/** One per process. The level is that of POWERTOOLS_LOG_LEVEL or of the function's log settings. */
export function powertoolsTelemetry(namespace: string): Telemetry {
  const logger = new Logger({ serviceName: SERVICE, persistentKeys: { namespace } });
  const metrics = new Metrics({ namespace: METRICS_NAMESPACE, serviceName: SERVICE });
  return {
    debug: (message, fields = {}) => logger.debug(message, { ...fields }),
    info: (message, fields = {}) => logger.info(message, { ...fields }),
    warn: (message, fields = {}) => logger.warn(message, { ...fields }),
    error: (message, fields = {}) => logger.error(message, { ...fields }),
    count(name, value, dimensions = {}) {
      // Written at once: a sandbox that freezes or dies keeps no counter back.
      const single = metrics.singleMetric();
      for (const [dimension, text] of Object.entries({ namespace, ...dimensions }))
        single.addDimension(dimension, text);
      single.addMetric(name, MetricUnit.Count, value);
    },
  };
}
