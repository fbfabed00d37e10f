/** One flow, out of the agent's ring or its history. */
import type { Flow } from '../../hubble/flow.ts';
import { openFlows } from './connect-stream.ts';

const PATIENCE_MS = 15_000;

/** @returns undefined when the agent does not have it (any more). @throws StreamError when it does not answer */
export async function flowByUuid(uuid: string): Promise<Flow | undefined> {
  const question = { number: 1, follow: false, whitelist: [{ uuid: [uuid] }], blacklist: [] };
  for await (const batch of openFlows(question, AbortSignal.timeout(PATIENCE_MS)))
    for (const { flow } of batch) if (flow !== undefined) return flow;
  return undefined;
}
