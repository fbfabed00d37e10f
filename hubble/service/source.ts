/** What the services ask: everything that they tell comes from here. */
import type { Ring } from '../ring.ts';

export interface ObserverSource {
  readonly nodeName: string;
  readonly clusterName: string;
  readonly version: string;
  /** When the observer began, and what time it is: milliseconds since the epoch. */
  readonly startedMs: number;
  readonly nowMs: () => number;
  /** The last flows, and the last events of the agent. */
  readonly flows: Ring;
  readonly agentEvents: Ring;
  /** Takes in what has come meanwhile, so that an answer has it. */
  refresh(): void;
  /** Names of namespaces that had flows in the last hour, in any order. */
  namespaces(): Iterable<string>;
  /** `host:port` of the observer for other machines; '' when only its unix socket answers. */
  readonly address: string;
  /** The server name of its certificate; undefined: without TLS. */
  readonly tlsServerName: string | undefined;
}
