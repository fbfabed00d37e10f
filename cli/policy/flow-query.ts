/** A recorded flow (Hubble JSON) from a file, and the query that asks about it again. */
import { readFileSync } from 'node:fs';
import { flowQuery } from '../../explain/flows/flow-query.ts';
import type { PolicyWorld } from '../../explain/world.ts';
import { readEnvelope } from '../../hubble/decode/read-envelope.ts';
import type { Flow } from '../../hubble/flow.ts';
import { Failure } from '../terminal/failure.ts';
import { type Host, readStdin } from '../terminal/host.ts';
import type { FlowQuery } from '../../explain/query.ts';

/**
 * The first flow of a file.
 * @param path a file of JSON lines, or `-`
 * @throws Failure when it holds none
 */
export async function readFlow(host: Host, path: string): Promise<Flow> {
  const text = path === '-' ? await readStdin(host) : readText(path);
  return parseFlow(text.split('\n').find((one) => one.trim() !== '') ?? '', path);
}

/** A flow, or the envelope around it. @param from for the complaint */
export function parseFlow(text: string, from: string): Flow {
  try {
    const flow = readEnvelope(JSON.parse(text))?.flow;
    if (flow !== undefined) return flow;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new Failure(`read flow ${from}: ${error.message}`);
  }
  throw new Failure(`read flow ${from}: found ${text.slice(0, 40)}, wanted a flow as JSON`);
}

/**
 * As flowQuery().
 * @throws Failure when it is no flow that a policy judges
 */
export function queryOfFlow(flow: Flow, world: PolicyWorld): FlowQuery {
  try {
    return flowQuery(flow, world);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new Failure(`read flow: ${error.message}`);
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Failure(`read flow ${path}: ${(error as NodeJS.ErrnoException).code}: check the --flow argument`);
  }
}
