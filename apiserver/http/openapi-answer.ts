/** `/openapi/...`: the API's description of itself, with an entity tag: old kubectl asks for all of it at every command. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Document, OpenApi } from '../openapi/openapi.ts';
import { sendDocument } from './answering.ts';

/** @returns false when there is nothing of that name */
export function answerOpenApi(openApi: OpenApi, request: IncomingMessage, response: ServerResponse): boolean {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost');
  if (pathname === '/openapi/v2') {
    response.setHeader('vary', 'accept');
    sendBytes(openApi.v2(request.headers.accept ?? ''), request, response);
    return true;
  }
  if (pathname === '/openapi/v3') {
    sendDocument(response, 200, openApi.v3Index());
    return true;
  }
  const document = openApi.v3(pathname.replace('/openapi/v3/', ''));
  if (document === undefined) return false;
  // Under the hash of what it says, a document does not change.
  if (`"${searchParams.get('hash') ?? ''}"` === document.etag)
    response.setHeader('cache-control', 'private, immutable, max-age=31536000');
  sendBytes(document, request, response);
  return true;
}

function sendBytes({ type, body, etag }: Document, request: IncomingMessage, response: ServerResponse): void {
  response.setHeader('etag', etag);
  if (!response.hasHeader('cache-control')) response.setHeader('cache-control', 'no-cache, private');
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304).end();
    return;
  }
  response.writeHead(200, { 'content-type': type, 'content-length': body.length });
  response.end(body);
}
