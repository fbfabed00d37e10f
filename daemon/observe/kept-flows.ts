/**
 * What is kept of the flows that a request asks for, out of the ring and, before it, the history. Both have got the same
 * envelopes under the same sequence numbers; the seam is the oldest in the ring at the moment of the request.
 */
import { compileFilters } from '../../hubble/filter/filter.ts';
import type { FlowFilter } from '../../hubble/filter/flow-filter.ts';
import type { Envelope } from '../../hubble/flow.ts';
import { type FlowsRequest, type Ring, select } from '../../hubble/ring.ts';
import type { History } from './history.ts';

export interface KeptFlowsRequest extends FlowsRequest {
  readonly allow: readonly FlowFilter[];
  readonly deny: readonly FlowFilter[];
}

/**
 * Batches of what is kept and matches, oldest first: `number` of them from the newest or the oldest; lost events are among
 * them, uncounted. What comes into the ring after the call is not: a follower takes `ring.reader()` at once before it.
 * @param signal ends the reading of files; the batches then end too
 * @throws SyntaxError for filters that make no sense, at once
 */
export function keptFlows(
  ring: Ring,
  history: History | undefined,
  request: KeptFlowsRequest,
  signal: AbortSignal,
): AsyncGenerator<readonly Envelope[]> {
  const { allow, deny, ...wanted } = request;
  const matches = compileFilters(allow, deny);
  const newest = select(ring, wanted, (one) => history?.isReplay(one) !== true && matches(one));
  const { oldest } = ring;
  const older = (left: number | undefined) => {
    const rest: FlowsRequest = left === undefined ? wanted : { ...wanted, number: left };
    return history?.ask(oldest, { request: rest, allow, matches, signal });
  };
  return wanted.first === true
    ? firsts(older(wanted.number), newest, wanted.number)
    : lasts(older, newest, wanted.number);
}

const isFlow = ({ flow }: Envelope) => flow !== undefined;

/** The ring's are the newest: the history has what is wanted beyond them. */
async function* lasts(
  older: (number: number | undefined) => AsyncGenerator<readonly Envelope[]> | undefined,
  newest: readonly Envelope[],
  number: number | undefined,
): AsyncGenerator<readonly Envelope[]> {
  const left = number === undefined ? undefined : number - newest.filter(isFlow).length;
  const before = left === undefined || left > 0 ? older(left) : undefined;
  if (before !== undefined) yield* before;
  if (newest.length > 0) yield newest;
}

/** The history's are the oldest: the ring has what is wanted beyond them. */
async function* firsts(
  older: AsyncGenerator<readonly Envelope[]> | undefined,
  newest: readonly Envelope[],
  number = Number.POSITIVE_INFINITY,
): AsyncGenerator<readonly Envelope[]> {
  let left = number;
  for await (const batch of older ?? []) {
    left -= batch.filter(isFlow).length;
    yield batch;
  }
  const taken = newest.filter((one) => left > 0 && (!isFlow(one) || left-- > 0));
  if (taken.length > 0) yield taken;
}
