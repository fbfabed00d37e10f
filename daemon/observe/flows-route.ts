/** `GET /v1/flows`: flows as lines of JSON, see docs/api.md. */
import { once } from 'node:events';
import { compileFilters } from '../../hubble/filter/filter.ts';
import type { FlowFilter } from '../../hubble/filter/flow-filter.ts';
import type { Envelope } from '../../hubble/flow.ts';
import { compileMask, type Mask } from '../../hubble/message/field-mask.ts';
import type { FlowsRequest, Ring } from '../../hubble/ring.ts';
import { ApiError, type Call, type Route } from '../serve/router.ts';
import type { History } from './history.ts';
import { keptFlows, type KeptFlowsRequest } from './kept-flows.ts';

interface Flows {
  readonly ring: Ring;
  readonly history: History | undefined;
  /** Takes in what has come. */
  readonly look: () => void;
}

export function flowsRoute(flows: Flows): Route<never> {
  return (call) => {
    flows.look();
    const closed = new AbortController();
    for (const end of [call.request, call.response]) end.on('close', () => closed.abort());
    const request = requestOf(call.query);
    const reader = flows.ring.reader();
    const kept = keptFlows(flows.ring, flows.history, request, closed.signal);
    const sending = { kept, reader, ring: flows.ring, request, lineOf: linesOf(call.query), closed: closed.signal };
    send(call, sending).catch((error: unknown) => call.response.destroy(error as Error));
    return undefined;
  };
}

interface Sending {
  readonly kept: AsyncGenerator<readonly Envelope[]>;
  readonly reader: ReturnType<Ring['reader']>;
  readonly ring: Ring;
  readonly request: KeptFlowsRequest;
  readonly lineOf: (envelope: Envelope) => string;
  readonly closed: AbortSignal;
}

/** What is kept and asked for, then, with `follow`, what comes. */
async function send(
  { query, response }: Call,
  { kept, reader, ring, request, lineOf, closed }: Sending,
): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  response.flushHeaders(); // who follows may wait long for the first flow
  const write = (text: string): boolean => closed.aborted || response.write(text);
  for await (const batch of kept) {
    if (!write(batch.map(lineOf).join(''))) await drained(response, closed);
    if (closed.aborted) return;
  }
  if (query.get('follow') === null) {
    response.end();
    return;
  }
  const { untilMs = Number.POSITIVE_INFINITY } = request;
  const matches = compileFilters(request.allow, request.deny);
  let cancel = (): unknown => undefined;
  const follow = (): void => {
    if (closed.aborted) return;
    // A reader that does not keep up waits for its drain; what the ring overwrites meanwhile is told to it as lost.
    for (let one = reader.next(); one !== undefined; one = reader.next()) {
      if (Date.parse(one.time ?? '') > untilMs) return void response.end();
      if (matches(one) && !write(lineOf(one))) return void response.once('drain', follow);
    }
    // Not at once: whoever writes to the ring does not wait for those who read it.
    cancel = ring.onNextWrite(() => setImmediate(follow));
  };
  closed.addEventListener('abort', () => cancel());
  follow();
}

/** Waits until the client has read what it was sent, or is gone. */
async function drained(response: Call['response'], closed: AbortSignal): Promise<void> {
  // It refuses when the client goes: that is seen by the caller.
  await once(response, 'drain', { signal: closed }).catch(() => undefined);
}

const MOST_FIELDS = 256;

/** Envelopes as lines, with the wanted fields of their flows alone. */
function linesOf(query: URLSearchParams): (envelope: Envelope) => string {
  const paths = query.get('fields')?.split(',') ?? [];
  if (paths.length === 0) return (envelope) => `${JSON.stringify(envelope)}\n`;
  if (paths.length > MOST_FIELDS)
    throw new ApiError(400, `fields: found ${paths.length} paths, wanted at most ${MOST_FIELDS}`);
  const mask = maskOf(paths);
  return (envelope) => {
    const { flow, node_name, time } = envelope;
    return `${JSON.stringify(flow === undefined ? envelope : { flow: mask(flow), node_name, time })}\n`;
  };
}

function maskOf(paths: readonly string[]): Mask {
  try {
    return compileMask(paths);
  } catch (error) {
    throw new ApiError(400, (error as SyntaxError).message);
  }
}

function requestOf(query: URLSearchParams): KeptFlowsRequest {
  return { ...flowsRequest(query), allow: filters(query, 'filter'), deny: filters(query, 'deny') };
}

function flowsRequest(query: URLSearchParams): FlowsRequest {
  const first = query.get('first');
  const number = first ?? query.get('last') ?? (query.get('follow') === null ? null : '0');
  const sinceMs = moment(query, 'since');
  const untilMs = moment(query, 'until');
  return {
    ...(number !== null && { number: count(number) }),
    ...(first !== null && { first: true }),
    ...(sinceMs !== undefined && { sinceMs }),
    ...(untilMs !== undefined && { untilMs }),
  };
}

function count(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new ApiError(400, `number of flows: found "${text}", wanted a whole number`);
  return Number(text);
}

function moment(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new ApiError(400, `${name}: found "${text}", wanted a time such as 2026-01-02T03:04:05Z`);
  return ms;
}

function filters(query: URLSearchParams, name: string): FlowFilter[] {
  const text = query.get(name);
  if (text === null) return [];
  try {
    const value = JSON.parse(text) as FlowFilter | FlowFilter[];
    return Array.isArray(value) ? value : [value];
  } catch {
    throw new ApiError(400, `${name}: found "${text}", wanted a flow filter as JSON`);
  }
}
