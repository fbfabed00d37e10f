/** `GET /v1/flows`: flows as lines of JSON, see docs/api.md. */
import { compileFilters } from '../../hubble/filter/filter.ts';
import type { FlowFilter } from '../../hubble/filter/flow-filter.ts';
import type { Envelope } from '../../hubble/flow.ts';
import { type FlowsRequest, type Ring, select } from '../../hubble/ring.ts';
import { ApiError, type Call, type Route } from '../serve/router.ts';

interface Flows {
  readonly ring: Ring;
  /** Takes in what has come. */
  readonly look: () => void;
}

export function flowsRoute({ ring, look }: Flows): Route<never> {
  return (call) => {
    look();
    send(call, ring);
    return undefined;
  };
}

/** What is kept and asked for, then, with `follow`, what comes. */
function send({ query, request, response }: Call, ring: Ring): void {
  const matches = compileFilters(filters(query, 'filter'), filters(query, 'deny'));
  const wanted = flowsRequest(query);
  const until = moment(query, 'until') ?? Number.POSITIVE_INFINITY;
  const reader = ring.reader();
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  response.flushHeaders(); // who follows may wait long for the first flow
  const write = (one: Envelope): boolean => response.write(`${JSON.stringify(one)}\n`);
  for (const one of select(ring, wanted, matches)) write(one);
  if (query.get('follow') === null) {
    response.end();
    return;
  }
  let isClosed = false;
  let cancel = (): unknown => undefined;
  const follow = (): void => {
    if (isClosed) return;
    // A reader that does not keep up waits for its drain; what the ring overwrites meanwhile is told to it as lost.
    for (let one = reader.next(); one !== undefined; one = reader.next()) {
      if (Date.parse(one.time ?? '') > until) return void response.end();
      if (matches(one) && !write(one)) return void response.once('drain', follow);
    }
    // Not at once: whoever writes to the ring does not wait for those who read it.
    cancel = ring.onNextWrite(() => setImmediate(follow));
  };
  const close = (): void => {
    isClosed = true;
    cancel();
  };
  request.on('close', close);
  response.on('close', close);
  follow();
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
