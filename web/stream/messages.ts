/** What the page's main thread and the worker of the stream say to each other. */
import type { Flow } from '../../hubble/flow.ts';
import type { Query } from '../query/query.ts';
import type { Decisions } from './decisions.ts';
import type { EdgeDetail } from './edge-detail.ts';
import type { StreamState } from './follower.ts';
import type { MapChanges } from './traffic-map.ts';

export type ToWorker =
  /** What is wanted from now on. */
  | { readonly is: 'query'; readonly query: Query }
  /** Rows `from` to before `to`, answered by `rows` with the same id. */
  | { readonly is: 'rows'; readonly id: number; readonly from: number; readonly to: number }
  /** Whether anybody looks at the map; if nobody does, its changes wait. */
  | { readonly is: 'map'; readonly isShown: boolean }
  /** Tell what these edges are made of, now and whenever that changes. */
  | { readonly is: 'detail'; readonly edges: readonly number[] }
  /** What policies decided since then; of one policy, by its key, also on what. Answered by `decisions` with the same id. */
  | { readonly is: 'decisions'; readonly id: number; readonly sinceMs: number; readonly policy: string }
  /** Whether nobody looks at the page, so that it needs no stream. */
  | { readonly is: 'rest'; readonly isResting: boolean }
  | { readonly is: 'retry' };

export type FromWorker =
  | { readonly is: 'state'; readonly state: StreamState; readonly problem: string; readonly retryMs: number }
  | ({ readonly is: 'table' } & TableState)
  | { readonly is: 'rows'; readonly id: number; readonly epoch: number; readonly flows: readonly Flow[] }
  | { readonly is: 'decisions'; readonly id: number; readonly decisions: Decisions }
  | { readonly is: 'map'; readonly changes: MapChanges }
  | { readonly is: 'detail'; readonly details: readonly (readonly [number, EdgeDetail])[] };

/** How the table of flows stands. */
export interface TableState {
  /** Changes when rows are counted anew: with another query, and when older flows came in between. */
  readonly epoch: number;
  /** The oldest row that is there, and the one after the newest. */
  readonly first: number;
  readonly end: number;
  /** Flows that are kept, matching or not. */
  readonly kept: number;
  /** Flows a second that match, over the last seconds. */
  readonly rate: number;
  /** Flows that nobody will see, since the page was opened: the agent lost them, or the stream did. */
  readonly lost: number;
  /** How full the map is. */
  readonly places: number;
  readonly edges: number;
}
