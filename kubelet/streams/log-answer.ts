/** Answers `GET .../pods/NAME/log`: the query as Kubernetes has it, and the log as it comes, no faster than the client takes it. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { StatusError } from '../../apiserver/storage/status-error.ts';
import type { LogRequest } from '../logs.ts';

/** @throws StatusError when a value is none */
export function logRequestOf(query: URLSearchParams): LogRequest {
  const isSet = (name: string) => query.has(name) && !['false', '0'].includes((query.get(name) ?? '').toLowerCase());
  const number = (name: string, least: number): number | undefined => {
    const text = query.get(name);
    if (text === null) return undefined;
    const value = Number(text);
    if (/^-?\d+$/.test(text) && value >= least && Number.isSafeInteger(value)) return value;
    throw StatusError.invalid('PodLogOptions', '', [
      {
        field: name,
        reason: 'FieldValueInvalid',
        message: `Invalid value: ${text}: must be greater than or equal to ${least}`,
      },
    ]);
  };
  const sinceTime = query.get('sinceTime') ?? undefined;
  if (sinceTime !== undefined && Number.isNaN(Date.parse(sinceTime)))
    throw StatusError.badRequest(`sinceTime: found ${JSON.stringify(sinceTime)}, wanted a time of RFC 3339`);
  if (sinceTime !== undefined && query.has('sinceSeconds'))
    throw StatusError.badRequest('at most one of `sinceTime` or `sinceSeconds` may be specified');
  return {
    container: query.get('container') ?? undefined,
    follow: isSet('follow'),
    previous: isSet('previous'),
    timestamps: isSet('timestamps'),
    tailLines: number('tailLines', 0),
    sinceSeconds: number('sinceSeconds', 1),
    limitBytes: number('limitBytes', 1),
    sinceTime,
  };
}

/** Settles when the log is at its end, or the client is gone. */
export async function answerLog(response: ServerResponse, log: AsyncIterable<Uint8Array>): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/plain' });
  response.flushHeaders();
  const gone = once(response, 'close');
  for await (const bytes of log) {
    if (response.destroyed) return;
    if (!response.write(bytes)) await Promise.race([once(response, 'drain'), gone]);
  }
  response.end();
}
