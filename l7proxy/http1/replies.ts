/** The responses that the engine writes itself: who they are for is the client of the flow. */
import { ascii } from './syntax.ts';

/** Body of the 403, as Cilium's Envoy writes it. */
export const DENIED_BODY = 'Access denied\r\n';

const REASON_PHRASES: Record<number, string> = {
  400: 'Bad Request',
  403: 'Forbidden',
  431: 'Request Header Fields Too Large',
  502: 'Bad Gateway',
};

function reply(status: number, body: string, connection: '' | 'close' | 'keep-alive', isHead = false): Uint8Array {
  const head =
    `HTTP/1.1 ${status} ${REASON_PHRASES[status]}\r\ncontent-length: ${body.length}\r\n` +
    `content-type: text/plain\r\n${connection === '' ? '' : `connection: ${connection}\r\n`}server: sluice\r\n\r\n`;
  return ascii(isHead ? head : head + body);
}

/** Kinds of a reply, 0 for none; the order is that of REPLIES. The one behind a 403 is the same for HEAD. */
export const REPLY_CONTINUE = 1;
export const REPLY_DENIED = 2;
export const REPLY_DENIED_KEEP_ALIVE = 4;
export const REPLY_DENIED_CLOSE = 6;
const REPLY_BAD_REQUEST = 8;
const REPLY_HEAD_TOO_LARGE = 9;
export const REPLY_BAD_GATEWAY = 10;

/** The bytes of each kind. */
export const REPLIES: readonly Uint8Array[] = [
  ascii(''),
  ascii('HTTP/1.1 100 Continue\r\n\r\n'),
  reply(403, DENIED_BODY, ''),
  reply(403, DENIED_BODY, '', true),
  reply(403, DENIED_BODY, 'keep-alive'),
  reply(403, DENIED_BODY, 'keep-alive', true),
  reply(403, DENIED_BODY, 'close'),
  reply(403, DENIED_BODY, 'close', true),
  reply(400, 'Bad request\r\n', 'close'),
  reply(431, 'Request head too large\r\n', 'close'),
  reply(502, 'Bad gateway\r\n', 'close'),
];

/** Whether the connection ends behind a reply of this kind. */
export function closes(kind: number): boolean {
  return kind >= REPLY_DENIED_CLOSE;
}

/** The reply for an error with this status (400, 431, 502). */
export function replyOfStatus(status: number): number {
  if (status === 431) return REPLY_HEAD_TOO_LARGE;
  return status === 502 ? REPLY_BAD_GATEWAY : REPLY_BAD_REQUEST;
}
