/** observer.Observer: the calls of Hubble's clients, answered from an ObserverSource. */
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from '@connectrpc/connect';
import { compileFilters } from '../filter/filter.ts';
import { encodeAgentEvent, encodeEnvelope } from '../message/envelope.ts';
import { filterOf } from '../message/filter.ts';
import type { FlowFilter } from '../proto/flow/flow_pb.ts';
import * as pb from '../proto/observer/observer_pb.ts';
import { NodeState } from '../proto/relay/relay_pb.ts';
import { Ring } from '../ring.ts';
import { sendBatch } from './batches.ts';
import { type Codec, Encodings } from './encodings.ts';
import { flowsRate } from './flows-rate.ts';
import type { ObserverSource } from './source.ts';
import { Stream, type StreamOptions } from './stream.ts';
import { streamRequestOf } from './stream-request.ts';
import type { Turns } from './turns.ts';

/** Filters of one request, and values in all of them: each flow is compared with all. */
const MAX_FILTERS = 64;
const MAX_VALUES = 1024;
const MAX_PATHS = 256;

type Implementation = ServiceImpl<typeof pb.Observer>;

export class ObserverService implements Implementation {
  readonly #source: ObserverSource;
  readonly #turns: Turns;
  readonly #flows = new Encodings(encodeEnvelope);
  readonly #agentEvents = new Encodings(encodeAgentEvent);
  /** The dataplane has no debug messages: always empty, as of a Cilium that does not debug. */
  readonly #debugEvents: Ring;

  constructor(source: ObserverSource, turns: Turns) {
    this.#source = source;
    this.#turns = turns;
    this.#debugEvents = new Ring({ capacity: 1, nodeName: source.nodeName, nowMs: source.nowMs });
  }

  async *getFlows(request: pb.GetFlowsRequest, context: HandlerContext) {
    const { whitelist, blacklist, fieldMask } = request;
    const paths = fieldMask?.paths ?? [];
    checkCount('field_mask: paths', paths.length, MAX_PATHS);
    const { allow, matches } = orInvalid(() => filtersOf(whitelist, blacklist));
    const encode = orInvalid(() => this.#flows.of(codecOf(context), paths));
    const { signal } = context;
    const history: StreamOptions['history'] = (before, asked) =>
      this.#source.history(before, { request: asked, allow, matches, signal });
    const ring = this.#source.flows;
    yield* this.#stream(context, { ring, request: streamRequestOf(request), matches, encode, history });
  }

  async *getAgentEvents(request: pb.GetAgentEventsRequest, context: HandlerContext) {
    const encode = this.#agentEvents.of(codecOf(context), []);
    const ring = this.#source.agentEvents;
    yield* this.#stream(context, { ring, request: streamRequestOf(request), matches: () => true, encode });
  }

  async *getDebugEvents(request: pb.GetDebugEventsRequest, context: HandlerContext) {
    const encode = this.#agentEvents.of(codecOf(context), []);
    const ring = this.#debugEvents;
    yield* this.#stream(context, { ring, request: streamRequestOf(request), matches: () => true, encode });
  }

  /** Empty messages, each of which stands for a batch. */
  async *#stream(context: HandlerContext, what: Omit<StreamOptions, 'turns' | 'nowMs' | 'signal'>) {
    const { nowMs } = this.#source;
    this.#source.refresh();
    const stream = new Stream({ ...what, turns: this.#turns, nowMs, signal: context.signal });
    for await (const batch of stream.batches()) {
      sendBatch(context.values, batch);
      yield {};
    }
  }

  getNodes() {
    const { nodeName, version, address, tlsServerName } = this.#source;
    const tls = { enabled: tlsServerName !== undefined, serverName: tlsServerName ?? '' };
    const { numFlows, maxFlows, seenFlows, uptimeNs } = this.#counts();
    return {
      nodes: [
        {
          name: nodeName,
          version,
          address,
          state: NodeState.NODE_CONNECTED,
          tls,
          numFlows,
          maxFlows,
          seenFlows,
          uptimeNs,
        },
      ],
    };
  }

  getNamespaces() {
    const cluster = this.#source.clusterName;
    const names = [...this.#source.namespaces()].sort((a, b) => (a < b ? -1 : 1));
    return { namespaces: names.map((namespace) => ({ cluster, namespace })) };
  }

  serverStatus() {
    this.#source.refresh();
    const { version, flows, nowMs } = this.#source;
    const rate = flowsRate(flows, nowMs());
    return { ...this.#counts(), numConnectedNodes: 1, numUnavailableNodes: 0, version, flowsRate: rate };
  }

  #counts() {
    const { flows, nowMs, startedMs } = this.#source;
    return {
      numFlows: BigInt(flows.length),
      maxFlows: BigInt(flows.capacity),
      seenFlows: BigInt(flows.seen),
      uptimeNs: BigInt(Math.round((nowMs() - startedMs) * 1e6)),
    };
  }
}

function codecOf({ requestHeader }: HandlerContext): Codec {
  return requestHeader.get('content-type')?.includes('json') === true ? 'json' : 'binary';
}

function filtersOf(whitelist: readonly FlowFilter[], blacklist: readonly FlowFilter[]) {
  const filters = [...whitelist, ...blacklist].map(filterOf);
  const values = filters.flatMap((filter) => Object.values(filter).flat() as unknown[]);
  checkCount('whitelist and blacklist: filters', filters.length, MAX_FILTERS);
  checkCount('whitelist and blacklist: values', values.length, MAX_VALUES);
  const allow = filters.slice(0, whitelist.length);
  return { allow, matches: compileFilters(allow, filters.slice(whitelist.length)) };
}

function checkCount(what: string, found: number, most: number): void {
  if (found > most) throw new ConnectError(`${what}: found ${found}, at most ${most}`, Code.InvalidArgument);
}

/** What a compiler refuses is the client's fault. */
function orInvalid<T>(compile: () => T): T {
  try {
    return compile();
  } catch (error) {
    if (error instanceof SyntaxError) throw new ConnectError(error.message, Code.InvalidArgument);
    throw error;
  }
}
