/** Answers on their way out: a document, its warnings, or what went wrong as a Status. */
import type { ServerResponse } from 'node:http';
import { StatusError } from '../storage/status-error.ts';

/** Characters of all warnings of an answer, and of one. */
const WARNINGS_CHARS = 4096;
const WARNING_CHARS = 1024;

/** @param warnings one header each, as far as they fit */
export function sendWarnings(response: ServerResponse, warnings: readonly string[]): void {
  let left = WARNINGS_CHARS;
  const headers: string[] = [];
  for (const text of new Set(warnings)) {
    const one = headerText(text);
    left -= one.length;
    if (left >= 0) headers.push(`299 - "${one}"`);
  }
  if (headers.length > 0) response.setHeader('warning', headers);
}

/** @param type when it is more than JSON */
export function sendDocument(
  response: ServerResponse,
  status: number,
  document: object,
  type = 'application/json',
): void {
  const text = `${JSON.stringify(document)}\n`;
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-cache, private',
  });
  response.end(text);
}

export function sendText(response: ServerResponse, text: string): void {
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' });
  response.end(text);
}

/** An answer that has begun can only be broken off. */
export function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const status = error instanceof StatusError ? error : StatusError.internal((error as Error).message);
  const { retryAfterSeconds } = status.details ?? {};
  if (retryAfterSeconds !== undefined) response.setHeader('retry-after', retryAfterSeconds);
  sendDocument(response, status.code, status.toStatus());
}

/** RFC 9110, 5.6.4: printable ASCII, with quotes escaped. */
function headerText(text: string): string {
  const plain = text.replace(/[\s\0]+/g, ' ').replace(/[^\x20-\x7e]/g, '?');
  return plain.slice(0, WARNING_CHARS).replace(/["\\]/g, '\\$&');
}
