/**
 * What the judge knows of the running agent, asked for again only when it may be another: the world, by its tag, and the flows, by their age.
 * So a question that comes with every key that somebody types costs the agent a line.
 */
import type { DaemonApi } from '../../api/daemon-api.ts';
import { ApiError } from '../../api/error.ts';
import { askWorld, type ToldWorld } from '../../api/told-world.ts';
import { FlowLines } from '../../explain/flows/flow-lines.ts';
import { Recording } from '../../explain/flows/recording.ts';
import { readTold } from '../../explain/told-world.ts';
import { PolicyWorld } from '../../explain/world.ts';
import { parseMoment } from '../../hubble/time.ts';
import type { Document } from '../../policy/document/document.ts';

/** Flows that a question looks at, the newest: reading so many takes some seconds. */
const FLOWS_LIMIT = 500_000;
/** A recording is taken again at this age, or later if it took long. */
const FRESH_MS = 3000;
const COST_FACTOR = 10;
const READ_MS = 25_000;
/** Questions by labels leave a pod each in a world: after so many it is made anew. */
const USES_LIMIT = 2000;

/** The world as the agent has it. */
export interface Live {
  readonly told: ToldWorld;
  readonly documents: readonly Document[];
  readonly world: PolicyWorld;
}

/** Flows of the agent, as many as the limit allows. */
export interface LiveFlows {
  readonly recording: Recording;
  /** There were more, older ones. */
  readonly isCut: boolean;
}

/** Which flows. */
interface Wanted {
  /** Texts of parseMoment. */
  readonly since: string;
  readonly until: string | undefined;
  /** JSON: filters of Hubble; any of `filter` must match, none of `deny` may. */
  readonly filter: string | undefined;
  readonly deny: string | undefined;
}

export class LiveAgent {
  readonly #api: DaemonApi;
  #live: Live | undefined;
  #uses = 0;
  #flows: { readonly key: string; readonly untilMs: number; readonly value: LiveFlows } | undefined;

  constructor(api: DaemonApi) {
    this.#api = api;
  }

  /** @throws ApiError when the agent does not answer */
  async world(): Promise<Live> {
    const told = await askWorld(this.#api, this.#live?.told.tag ?? '');
    if (told !== undefined) {
      const { documents } = readTold(told);
      this.#live = { told, documents, world: new PolicyWorld(documents, told.options, told) };
      this.#uses = 0;
    }
    if (this.#live === undefined) throw new ApiError('get /v1/world: found no world, wanted one');
    if (++this.#uses > USES_LIMIT) {
      const { told: old, documents } = this.#live;
      this.#live = { told: old, documents, world: new PolicyWorld(documents, old.options, old) };
      this.#uses = 0;
    }
    return this.#live;
  }

  /** @throws ApiError when nobody answers, SyntaxError for moments that are none */
  async flows(wanted: Wanted): Promise<LiveFlows> {
    const { since, until, filter, deny } = wanted;
    const nowMs = Date.now();
    const key = JSON.stringify(wanted);
    if (this.#flows?.key === key && this.#flows.untilMs > nowMs) return this.#flows.value;
    const moment = (text: string): string => new Date(parseMoment(text, nowMs)).toISOString();
    const range = { since: moment(since), until: until === undefined ? until : moment(until) };
    const query = { ...range, filter, deny, last: FLOWS_LIMIT };
    const recording = new Recording();
    const lines = new FlowLines(recording);
    await this.#api.flowBytes(query, AbortSignal.timeout(READ_MS), (bytes) => lines.push(bytes));
    lines.end();
    const value = { recording, isCut: recording.flows >= FLOWS_LIMIT };
    const doneMs = Date.now();
    this.#flows = { key, untilMs: doneMs + Math.max(FRESH_MS, COST_FACTOR * (doneMs - nowMs)), value };
    return value;
  }
}
