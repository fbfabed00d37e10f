/**
 * What an edge is made of: ports, what was asked inside the streams, who decided, why something was dropped, the last flows. Each list
 * is bounded; what comes when one is full counts as `OTHER_KEY`.
 */
import { type Flow, packetsOf } from '../../hubble/flow.ts';
import { verdictClass, type Verdicts, zeroVerdicts } from './verdicts.ts';

const MAX_PORTS = 32;
const MAX_L7 = 48;
const MAX_POLICIES = 24;
const MAX_REASONS = 16;
const LAST_FLOWS = 8;

/** Stands for what a full list has no room for. */
const OTHER_KEY = 'other';

/** One line of a list. */
export interface Tally extends Verdicts {
  readonly key: string;
  /** Answers that were errors: HTTP from 400 on, DNS and Kafka other than 0. */
  errors: number;
  latencyMs: number;
  answers: number;
}

export interface EdgeDetail {
  readonly ports: readonly Tally[];
  readonly l7: readonly Tally[];
  readonly policies: readonly Tally[];
  readonly reasons: readonly Tally[];
  /** The newest first. */
  readonly last: readonly Flow[];
}

export class EdgeTallies {
  readonly #ports = new Map<string, Tally>();
  readonly #l7 = new Map<string, Tally>();
  readonly #policies = new Map<string, Tally>();
  readonly #reasons = new Map<string, Tally>();
  readonly #last: Flow[] = [];
  #lastDropped: Flow | undefined;

  /** @param isReply whether the flow goes against the edge */
  add(flow: Flow, isReply: boolean): void {
    const packets = packetsOf(flow);
    count(this.#ports, MAX_PORTS, portOf(flow, isReply), flow, packets);
    const asked = l7Of(flow);
    if (asked !== undefined) {
      const tally = count(this.#l7, MAX_L7, asked, flow, packets);
      if (isFailure(flow)) tally.errors++;
      if (flow.l7?.type === 'RESPONSE' && flow.l7.latency_ns !== undefined) {
        tally.answers++;
        tally.latencyMs += (Number(flow.l7.latency_ns) / 1e6 - tally.latencyMs) / Math.min(tally.answers, 100);
      }
    }
    for (const policy of policiesOf(flow)) count(this.#policies, MAX_POLICIES, policy, flow, packets);
    if (flow.verdict === 'DROPPED') {
      count(this.#reasons, MAX_REASONS, reasonOf(flow), flow, packets);
      this.#lastDropped = flow;
    }
    this.#last.unshift(flow);
    if (this.#last.length > LAST_FLOWS) this.#last.pop();
  }

  /** The port with the most flows, for the edge's label. */
  get topPort(): string {
    let top = '';
    let most = -1;
    for (const [key, tally] of this.#ports) {
      const total = tally.forwarded + tally.dropped + tally.audit + tally.error;
      if (total > most) [top, most] = [key, total];
    }
    return this.#ports.size > 1 ? `${top} +${this.#ports.size - 1}` : top;
  }

  detail(): EdgeDetail {
    const dropped = this.#lastDropped;
    const last = dropped === undefined || this.#last.includes(dropped) ? this.#last : [...this.#last, dropped];
    const sorted = (tallies: Map<string, Tally>) => [...tallies.values()].sort((a, b) => totalOf(b) - totalOf(a));
    return {
      ports: sorted(this.#ports),
      l7: sorted(this.#l7),
      policies: sorted(this.#policies),
      reasons: sorted(this.#reasons),
      last: [...last],
    };
  }
}

const totalOf = ({ forwarded, dropped, audit, error }: Verdicts) => forwarded + dropped + audit + error;

function count(tallies: Map<string, Tally>, most: number, wanted: string, flow: Flow, packets: number): Tally {
  const key = tallies.has(wanted) || tallies.size < most ? wanted : OTHER_KEY;
  let tally = tallies.get(key);
  if (tally === undefined) {
    tally = { key, ...zeroVerdicts(), errors: 0, latencyMs: 0, answers: 0 };
    tallies.set(key, tally);
  }
  tally[verdictClass(flow.verdict)] += packets;
  return tally;
}

/** `TCP 8080` of the side that was called, `ICMPv4 8`. */
export function portOf({ l4 }: Flow, isReply: boolean): string {
  for (const [protocol, ports] of Object.entries(l4 ?? {})) {
    const { source_port: source, destination_port: destination, type } = ports as Readonly<Record<string, unknown>>;
    const port = (isReply ? source : destination) ?? type;
    return typeof port === 'number' ? `${protocol} ${port}` : protocol;
  }
  return 'no port';
}

/** What was asked inside the stream: `GET /orders/*`, `DNS api.example.com`, `Kafka produce orders`. */
function l7Of({ l7 }: Flow): string | undefined {
  if (l7 === undefined) return undefined;
  if (l7.http !== undefined) return `${l7.http.method ?? ''} ${pathOf(l7.http.url ?? '')}`;
  if (l7.dns !== undefined) return `DNS ${l7.dns.query ?? ''}`;
  if (l7.kafka !== undefined) return `Kafka ${l7.kafka.api_key ?? ''} ${l7.kafka.topic ?? ''}`.trimEnd();
  return l7.tlsSNI === undefined ? undefined : `TLS ${l7.tlsSNI}`;
}

/** The path without its query; parts that only number things become `*`, so that a thousand orders are one line. */
function pathOf(url: string): string {
  const path = url.replace(/^[a-z]+:\/\/[^/]*/i, '').split(/[?#]/, 1)[0];
  return (path === '' ? '/' : path).replace(
    /\/(?:\d+|[0-9a-f]{8,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?=\/|$)/gi,
    '/*',
  );
}

function isFailure({ l7 }: Flow): boolean {
  return (l7?.http?.code ?? 0) >= 400 || (l7?.dns?.rcode ?? 0) !== 0 || (l7?.kafka?.error_code ?? 0) !== 0;
}

/** Who decided, with what and where: `denied ingress shop/web`. */
function* policiesOf(flow: Flow): Generator<string> {
  for (const direction of ['ingress', 'egress'] as const) {
    for (const word of ['allowed', 'denied'] as const) {
      for (const { namespace, name } of flow[`${direction}_${word}_by`] ?? [])
        yield `${word} ${direction} ${namespace === undefined ? name : `${namespace}/${name}`}`;
    }
  }
}

/** Why it was dropped: our own name for it where Hubble has none. */
function reasonOf(flow: Flow): string {
  return flow.extensions?.value ?? flow.drop_reason_desc ?? `reason ${flow.drop_reason ?? 0}`;
}
