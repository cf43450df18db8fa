/** The sweeper function, run by a schedule each minute. */
import { sweep } from "../sdk/engine/sweeper.ts";
import type { Ports } from "../sdk/ports/ports.ts";
import { portsFromEnvironment } from "./compose.ts";

export type SweeperHandler = () => Promise<void>;

export function createSweeperHandler(ports: Ports): SweeperHandler {
  return () => sweep(ports);
}

export const handler: SweeperHandler = () => createSweeperHandler(portsFromEnvironment())();
