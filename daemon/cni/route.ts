/**
 * `POST /v1/cni`: a call of the CNI plugin, see docs/api.md. 200: what is to be printed; 202: lines, the program that the plugin is to
 * run before it asks again; 422: the error to be printed.
 */
import type { ServerResponse } from 'node:http';
import { CNI_CODES, CniError, errorText } from './cni-error.ts';
import { type Outcome, type PluginCall, readRequest, versionOf } from './request.ts';
import type { CniAnswer, RuntimeCalls } from './runtime-calls.ts';

/** Answers one call, whatever it is. */
export async function serveCni(calls: RuntimeCalls, body: string, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  let version = '1.0.0';
  try {
    const call = readCall(body);
    version = versionOf(call.config);
    const answer = await calls.call(readRequest(call), gone.signal);
    if ('run' in answer) send(response, 202, answer.run.map((word) => `${word}\n`).join(''));
    else send(response, 200, resultText(answer));
  } catch (error) {
    const known = error instanceof CniError ? error : new CniError(CNI_CODES.attach, (error as Error).message);
    send(response, 422, errorText(version, known));
  }
}

function resultText({ result }: Extract<CniAnswer, { readonly result: object | undefined }>): string {
  return result === undefined ? '' : `${JSON.stringify(result)}\n`;
}

function send(response: ServerResponse, status: number, text: string): void {
  if (response.destroyed) return;
  response.writeHead(status, { 'content-type': 'text/plain', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

/** @throws CniError when it is not what the plugin sends */
export function readCall(body: string): PluginCall {
  let value: Partial<PluginCall>;
  try {
    value = JSON.parse(body) as Partial<PluginCall>;
  } catch (error) {
    throw new CniError(CNI_CODES.decode, 'read the call: found no JSON', (error as Error).message);
  }
  const { environment, config, outcomes = [] } = value ?? {};
  const areTexts =
    typeof environment === 'object' && Object.values(environment ?? {}).every((one) => typeof one === 'string');
  if (!areTexts || environment === null || typeof config !== 'string' || !isOutcomes(outcomes))
    throw new CniError(CNI_CODES.decode, 'read the call: wanted {"environment": {}, "config": "", "outcomes": []}');
  return { environment, config, outcomes };
}

function isOutcomes(value: unknown): value is Outcome[] {
  const isOutcome = ({ kind, exit, output, problem }: Partial<Outcome>) =>
    [kind, output, problem].every((one) => typeof one === 'string') && typeof exit === 'number';
  return Array.isArray(value) && value.every((one: Partial<Outcome> | null) => one !== null && isOutcome(one));
}
