/**
 * The metrics of flows that were asked for, as a sink. Each is asked for by a text, as Hubble's `hubble-metrics`:
 * `dns`, `drop:sourceContext=pod|ip;destinationContext=pod`, `dns:query;ignoreAAAA`.
 */
import { EVENT_AGENT } from '../../wire/event.ts';
import type { Envelope, Flow } from '../flow.ts';
import type { FlowSink } from '../sink.ts';
import { ContextLabels } from './contexts.ts';
import { FLOW_METRICS, type FlowHandler, type Making } from './handlers.ts';
import { Counter, Registry } from './registry.ts';

export class FlowMetrics implements FlowSink {
  readonly registry: Registry;
  readonly #handlers: readonly FlowHandler[];
  readonly #lost: Counter;
  readonly #clock: () => number;
  #nowMs = 0;

  /** @param wanted texts as above @param clock any steady clock, in milliseconds @throws SyntaxError saying what is wrong with a text */
  constructor(wanted: readonly string[], registry: Registry, clock: () => number) {
    this.registry = registry;
    this.#clock = clock;
    const nowMs = (): number => this.#nowMs;
    const lost = {
      name: 'hubble_lost_events_total',
      help: 'Events that could not be told, by where they were lost.',
      labels: ['source'],
    };
    this.#lost = registry.add(new Counter(lost, nowMs));
    this.#handlers = wanted.map((text) => makeHandler(text, registry, nowMs));
  }

  take(envelopes: readonly Envelope[]): void {
    this.#nowMs = this.#clock();
    for (const envelope of envelopes) {
      const { lost_events: lost } = envelope;
      if (lost !== undefined) this.#lost.add([lost.source.toLowerCase()], Number(lost.num_events_lost));
      else if (this.#handlers.length > 0) this.#count(envelope.flow);
    }
  }

  #count(flow: Flow | undefined): void {
    if (flow === undefined || flow.event_type.type === EVENT_AGENT) return; // of no packet
    for (const handle of this.#handlers) handle(flow);
  }
}

/** What is wrong with the text of a metric; undefined when nothing is. */
export function metricProblem(text: string): string | undefined {
  try {
    makeHandler(text, new Registry(), () => 0);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function makeHandler(text: string, registry: Registry, nowMs: () => number): FlowHandler {
  const colon = text.indexOf(':');
  const name = colon < 0 ? text : text.slice(0, colon);
  if (!Object.hasOwn(FLOW_METRICS, name)) {
    throw new SyntaxError(`metric "${name}": wanted one of ${Object.keys(FLOW_METRICS).join(', ')}`);
  }
  const options = readOptions(colon < 0 ? '' : text.slice(colon + 1));
  const context = new ContextLabels(options);
  const has = (option: string): boolean => options.delete(option);
  const making: Making = { registry, context, has, nowMs };
  const handler = FLOW_METRICS[name](making);
  const [unknown] = options.keys();
  if (unknown !== undefined) throw new SyntaxError(`metric ${name}: unknown option "${unknown}"`);
  return handler;
}

/** Names in lower case: Hubble takes them in any. */
function readOptions(text: string): Map<string, string> {
  const options = new Map<string, string>();
  for (const option of text.split(';')) {
    if (option === '') continue;
    const equals = option.indexOf('=');
    const name = equals < 0 ? option : option.slice(0, equals);
    options.set(name.toLowerCase(), equals < 0 ? '' : option.slice(equals + 1));
  }
  return options;
}
