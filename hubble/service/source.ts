/** What the services ask: everything that they tell comes from here. */
import type { FlowFilter } from '../filter/flow-filter.ts';
import type { Envelope } from '../flow.ts';
import type { FlowsRequest, Ring } from '../ring.ts';

export interface HistoryQuestion {
  readonly request: FlowsRequest;
  /** One of them matches, when there are any: what can be looked for by an index. */
  readonly allow: readonly FlowFilter[];
  /** All filters. */
  readonly matches: (envelope: Envelope) => boolean;
  /** Ends the reading. */
  readonly signal: AbortSignal;
}

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
  /**
   * What is kept beyond `flows`: what matches of the events before a place of that ring, oldest first; at most `number` flows, the
   * newest, or with `first` the oldest. Undefined: nothing is.
   */
  history(before: number, question: HistoryQuestion): AsyncIterable<readonly Envelope[]> | undefined;
  /** Takes in what has come meanwhile, so that an answer has it. */
  refresh(): void;
  /** Names of namespaces that had flows in the last hour, in any order. */
  namespaces(): Iterable<string>;
  /** `host:port` of the observer for other machines; '' when only its unix socket answers. */
  readonly address: string;
  /** The server name of its certificate; undefined: without TLS. */
  readonly tlsServerName: string | undefined;
}
