/**
 * What the worker does, without the worker: takes messages and flows, keeps the store and the map, and says what changed at each tick.
 * worker.tsx gives it its clock and its port.
 */
import type { Flow } from '../../hubble/flow.ts';
import type { Query } from '../query/query.ts';
import { wantedBy } from '../query/compiled.ts';
import { decisionsOf } from './decisions.ts';
import { FlowStore } from './flow-store.ts';
import { Follower, type Open } from './follower.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import { TrafficMap } from './traffic-map.ts';

const MAX_ROWS = 2000;
const MAX_DETAILS = 64;
const KEEP_PER_SEC = 0.8;

export class Desk {
  readonly #say: (message: FromWorker, transfer?: ArrayBuffer[]) => void;
  readonly #nowMs: () => number;
  readonly #store = new FlowStore();
  readonly #follower: Follower;
  #map = new TrafficMap();
  #isMapShown = false;
  #details: readonly number[] = [];
  #epoch = 0;
  #lost = 0;
  #recent = 0;
  #rate = 0;
  #tickedMs: number;
  #told = '';
  #toldState = '';

  constructor(open: Open, say: (message: FromWorker, transfer?: ArrayBuffer[]) => void, nowMs: () => number) {
    this.#say = say;
    this.#nowMs = nowMs;
    this.#tickedMs = nowMs();
    this.#follower = new Follower(open, {
      filled: (flows) => this.#fill(flows),
      came: (flows) => this.#come(flows),
      lost: ({ num_events_lost: count }) => (this.#lost += Number(count) || 0),
      state: (state, problem, retryMs) => {
        const told = `${state} ${problem} ${retryMs}`;
        if (told === this.#toldState) return;
        this.#toldState = told;
        say({ is: 'state', state, problem, retryMs });
      },
    });
  }

  take(message: ToWorker): void {
    switch (message.is) {
      case 'query':
        this.#query(message.query);
        return;
      case 'rows': {
        const to = Math.min(message.to, message.from + MAX_ROWS);
        this.#say({ is: 'rows', id: message.id, epoch: this.#epoch, flows: this.#store.rows(message.from, to) });
        return;
      }
      case 'map':
        this.#isMapShown = message.isShown;
        this.#map.tellAgain();
        return;
      case 'detail':
        this.#details = message.edges.slice(0, MAX_DETAILS);
        this.#tellDetails();
        return;
      case 'decisions': {
        const flows = this.#store.rows(this.#store.first, this.#store.end);
        const decisions = decisionsOf(flows, message.sinceMs, message.policy);
        this.#say({ is: 'decisions', id: message.id, decisions });
        return;
      }
      case 'rest':
        this.#follower.rest(message.isResting);
        return;
      case 'retry':
        this.#follower.retry();
        return;
    }
  }

  /** Says what has changed; called a few times a second. */
  tick(): void {
    const nowMs = this.#nowMs();
    const sec = Math.max(0.05, (nowMs - this.#tickedMs) / 1000);
    const keep = KEEP_PER_SEC ** sec;
    this.#tickedMs = nowMs;
    this.#rate = this.#rate * keep + (this.#recent / sec) * (1 - keep);
    if (this.#rate < 0.05) this.#rate = 0;
    this.#recent = 0;
    this.#tellTable();
    if (!this.#isMapShown) return;
    const changes = this.#map.changes(nowMs);
    const { isFresh, figures, gonePlaces, goneEdges } = changes;
    if (!isFresh && figures.length + gonePlaces.length + goneEdges.length === 0) return;
    this.#say({ is: 'map', changes }, [figures.buffer]);
    this.#tellDetails();
  }

  #query(query: Query): void {
    let wants: (flow: Flow) => boolean;
    try {
      wants = wantedBy(query, this.#nowMs());
    } catch (error) {
      this.#say({ is: 'state', state: 'refused', problem: (error as Error).message, retryMs: 0 });
      return;
    }
    this.#store.setQuery(wants);
    this.#beginAnew();
    // What the API cannot be asked, words, the store looks for; so it does for bounds, as a stream that follows has none.
    this.#follower.follow(query.filters);
  }

  #fill(flows: readonly Flow[]): void {
    if (this.#store.refill(flows) > 0) this.#beginAnew();
    this.tick(); // somebody waits for the first of it
  }

  #come(flows: readonly Flow[]): void {
    const nowMs = this.#nowMs();
    for (const flow of flows) {
      if (!this.#store.append(flow)) continue;
      this.#recent++;
      this.#map.add(flow, nowMs);
    }
  }

  /** Rows and the map, out of what the store has. */
  #beginAnew(): void {
    this.#epoch++;
    this.#map = new TrafficMap();
    this.#details = [];
    for (const flow of this.#store.rows(this.#store.first, this.#store.end))
      this.#map.add(flow, Date.parse(flow.time) || 0, true);
    this.#tellTable();
  }

  #tellTable(): void {
    const { first, end, kept } = this.#store;
    const rate = Math.round(this.#rate * 10) / 10;
    const state = { epoch: this.#epoch, first, end, kept, rate, lost: this.#lost, ...this.#map.size };
    const told = JSON.stringify(state);
    if (told === this.#told) return;
    this.#told = told;
    this.#say({ is: 'table', ...state });
  }

  #tellDetails(): void {
    if (this.#details.length === 0) return;
    const details = this.#details.flatMap((edge) => {
      const detail = this.#map.detail(edge);
      return detail === undefined ? [] : [[edge, detail] as const];
    });
    this.#say({ is: 'detail', details });
  }
}
