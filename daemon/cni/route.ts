/**
 * `POST /v1/cni`: a call of the CNI plugin, see docs/api.md. 200: what is to be printed; 202: lines, the program that the plugin is to
 * run before it asks again; 422: the error to be printed.
 */
import type { ServerResponse } from 'node:http';
import { CNI_CODES, CniError, errorText } from './cni-error.ts';
import { fromNetavark, netavarkError, statusBlock } from './netavark.ts';
import { type Outcome, type PluginCall, readRequest, versionOf } from './request.ts';
import type { CniAnswer, RuntimeCalls } from './runtime-calls.ts';

/** Answers one call, whatever it is. */
export async function serveCni(calls: RuntimeCalls, body: string, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  let told: (error: CniError) => string = (error) => errorText('1.0.0', error);
  try {
    const call = readCall(body);
    told = call.netavark === undefined ? (error) => errorText(versionOf(call.config), error) : netavarkError;
    const answer = await answerTo(calls, call, gone.signal);
    if ('run' in answer) send(response, 202, answer.run.map((word) => `${word}\n`).join(''));
    else send(response, 200, answer.result === undefined ? '' : `${JSON.stringify(answer.result)}\n`);
  } catch (error) {
    send(
      response,
      422,
      told(error instanceof CniError ? error : new CniError(CNI_CODES.attach, (error as Error).message)),
    );
  }
}

/** @throws CniError */
export async function answerTo(
  calls: Pick<RuntimeCalls, 'call'>,
  call: PluginCall,
  signal: AbortSignal,
): Promise<CniAnswer> {
  if (call.netavark === undefined) return calls.call(readRequest(call), signal);
  const asked = fromNetavark(call.netavark, call);
  if ('network' in asked) return { result: asked.network };
  const answer = await calls.call(readRequest(asked.call), signal);
  return 'run' in answer || answer.result === undefined ? answer : { result: statusBlock(answer.result) };
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
  const { environment, config, outcomes = [], netavark } = value ?? {};
  const areTexts =
    typeof environment === 'object' && Object.values(environment ?? {}).every((one) => typeof one === 'string');
  if (
    !areTexts ||
    environment === null ||
    typeof config !== 'string' ||
    !isOutcomes(outcomes) ||
    !isArguments(netavark)
  )
    throw new CniError(CNI_CODES.decode, 'read the call: wanted {"environment": {}, "config": "", "outcomes": []}');
  return { environment, config, outcomes, ...(netavark !== undefined && { netavark }) };
}

function isArguments(value: unknown): value is readonly string[] | undefined {
  return (
    value === undefined || (Array.isArray(value) && value.length === 2 && value.every((one) => typeof one === 'string'))
  );
}

function isOutcomes(value: unknown): value is Outcome[] {
  const isOutcome = ({ kind, exit, output, problem }: Partial<Outcome>) =>
    [kind, output, problem].every((one) => typeof one === 'string') && typeof exit === 'number';
  return Array.isArray(value) && value.every((one: Partial<Outcome> | null) => one !== null && isOutcome(one));
}
