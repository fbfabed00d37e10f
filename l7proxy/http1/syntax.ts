/** Character classes and limits of HTTP/1.x (RFC 9110, 9112), and the ways a message can be refused. */

// --- specification
export const CR = 13;
export const LF = 10;
export const SP = 32;
export const ASTERISK = 42;
export const SLASH = 47;
export const SEMICOLON = 59;
export const QUESTION = 63;
export const HTAB = 9;
export const COLON = 58;

/** Bits of `CLASS`. */
export const TOKEN = 1;
export const TARGET = 2;
export const VALUE = 4;
export const HOST = 8;
/** A name or IPv4 address as the target of a CONNECT may have it. */
export const HOST_NAME = 16;

// --- implementation
export const MAX_HEAD_BYTES = 61_440;
/** Of a response, whose head is read only for where it ends. */
export const MAX_RESPONSE_HEAD_BYTES = 262_144;
export const MAX_HEADERS = 100;
export const MAX_METHOD_BYTES = 32;
/** Hex digits of a chunk size; 2^48 bytes are enough for one chunk. */
export const MAX_CHUNK_DIGITS = 12;
export const MAX_CHUNK_LINE_BYTES = 1024;
export const MAX_TRAILER_BYTES = 8192;
/** Content of a denied request, the end of which its answer waits for. */
export const MAX_AWAITED_CONTENT_BYTES = 1_048_576;
/** Requests forwarded and not yet answered; more wait in the stream editor. A power of two. */
export const MAX_OUTSTANDING = 16;

/** What each byte may be part of. */
export const CLASS: Uint8Array = classes();

function classes(): Uint8Array {
  const table = new Uint8Array(256);
  const add = (characters: string, bit: number) => {
    for (const character of characters) table[character.charCodeAt(0)] |= bit;
  };
  const alphanumeric = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  add(`${alphanumeric}!#$%&'*+-.^_\`|~`, TOKEN);
  // RFC 3986 leaves out /@\#? and space: each of them lets two readers disagree on where the host ends.
  add(`${alphanumeric}-._~%!$&'()*+;=:[]`, HOST);
  // Fewer than RFC 3986 allows: a tunnel leads to a host that no reader may decode into another.
  add(`${alphanumeric}-._`, HOST_NAME);
  for (let byte = 0x21; byte < 0x100; byte++) if (byte !== 0x7f && byte !== 0x23) table[byte] |= TARGET;
  for (let byte = 0x20; byte < 0x100; byte++) if (byte !== 0x7f) table[byte] |= VALUE;
  table[HTAB] |= VALUE;
  return table;
}

/** Why a message is refused: counter name, and the status the requester gets (502 for what a responder did wrong). */
export const HTTP_ERRORS = [
  { name: 'none', status: 200 },
  { name: 'bad-method', status: 400 },
  { name: 'bad-target', status: 400 },
  { name: 'bad-version', status: 400 },
  { name: 'http-0.9', status: 400 },
  { name: 'http2-preface', status: 400 },
  { name: 'bad-request-line', status: 400 },
  { name: 'bad-header-name', status: 400 },
  { name: 'space-before-colon', status: 400 },
  { name: 'obs-fold', status: 400 },
  { name: 'bare-cr', status: 400 },
  { name: 'bare-lf', status: 400 },
  { name: 'nul', status: 400 },
  { name: 'control-character', status: 400 },
  { name: 'head-too-large', status: 431 },
  { name: 'too-many-headers', status: 431 },
  { name: 'bad-content-length', status: 400 },
  { name: 'duplicate-content-length', status: 400 },
  { name: 'bad-transfer-encoding', status: 400 },
  { name: 'length-with-chunked', status: 400 },
  { name: 'missing-host', status: 400 },
  { name: 'duplicate-host', status: 400 },
  { name: 'bad-host', status: 400 },
  { name: 'host-mismatch', status: 400 },
  { name: 'bad-connection', status: 400 },
  { name: 'bad-chunk', status: 400 },
  { name: 'bad-trailer', status: 400 },
  { name: 'truncated', status: 400 },
  { name: 'bad-status-line', status: 502 },
  { name: 'unsolicited-response', status: 502 },
  { name: 'unjudgeable-upgrade', status: 502 },
  { name: 'tls', status: 400 },
  { name: 'bad-frame', status: 400 },
  { name: 'bad-header-block', status: 400 },
  { name: 'bad-pseudo-header', status: 400 },
  { name: 'bad-header-value', status: 400 },
  { name: 'connection-header', status: 400 },
  { name: 'content-mismatch', status: 400 },
  { name: 'bad-stream', status: 400 },
  { name: 'bad-settings', status: 400 },
  { name: 'bad-window', status: 400 },
  { name: 'flood', status: 429 },
  { name: 'too-many-streams', status: 429 },
  { name: 'bad-server-frame', status: 502 },
  { name: 'server-flood', status: 502 },
] as const;

export type HttpErrorName = (typeof HTTP_ERRORS)[number]['name'];

const numbers = new Map<string, number>(HTTP_ERRORS.map((error, index) => [error.name, index]));

/** The index of an error in HTTP_ERRORS. */
export function errorNumber(name: HttpErrorName): number {
  return numbers.get(name) ?? 0;
}

export const BAD_METHOD: number = errorNumber('bad-method');
export const BAD_TARGET: number = errorNumber('bad-target');
export const BAD_VERSION: number = errorNumber('bad-version');
export const HTTP_0_9: number = errorNumber('http-0.9');
export const HTTP2_PREFACE: number = errorNumber('http2-preface');
export const BAD_REQUEST_LINE: number = errorNumber('bad-request-line');
export const BAD_HEADER_NAME: number = errorNumber('bad-header-name');
export const SPACE_BEFORE_COLON: number = errorNumber('space-before-colon');
export const OBS_FOLD: number = errorNumber('obs-fold');
export const BARE_CR: number = errorNumber('bare-cr');
export const BARE_LF: number = errorNumber('bare-lf');
export const NUL: number = errorNumber('nul');
export const CONTROL_CHARACTER: number = errorNumber('control-character');
export const HEAD_TOO_LARGE: number = errorNumber('head-too-large');
export const TOO_MANY_HEADERS: number = errorNumber('too-many-headers');
export const BAD_CONTENT_LENGTH: number = errorNumber('bad-content-length');
export const DUPLICATE_CONTENT_LENGTH: number = errorNumber('duplicate-content-length');
export const BAD_TRANSFER_ENCODING: number = errorNumber('bad-transfer-encoding');
export const LENGTH_WITH_CHUNKED: number = errorNumber('length-with-chunked');
export const MISSING_HOST: number = errorNumber('missing-host');
export const DUPLICATE_HOST: number = errorNumber('duplicate-host');
export const BAD_HOST: number = errorNumber('bad-host');
export const HOST_MISMATCH: number = errorNumber('host-mismatch');
export const BAD_CONNECTION: number = errorNumber('bad-connection');
export const BAD_CHUNK: number = errorNumber('bad-chunk');
export const BAD_TRAILER: number = errorNumber('bad-trailer');
export const TRUNCATED: number = errorNumber('truncated');
export const BAD_STATUS_LINE: number = errorNumber('bad-status-line');
export const UNSOLICITED_RESPONSE: number = errorNumber('unsolicited-response');
export const UNJUDGEABLE_UPGRADE: number = errorNumber('unjudgeable-upgrade');
export const TLS: number = errorNumber('tls');
export const BAD_FRAME: number = errorNumber('bad-frame');
export const BAD_HEADER_BLOCK: number = errorNumber('bad-header-block');
export const BAD_PSEUDO_HEADER: number = errorNumber('bad-pseudo-header');
export const BAD_HEADER_VALUE: number = errorNumber('bad-header-value');
export const CONNECTION_HEADER: number = errorNumber('connection-header');
export const CONTENT_MISMATCH: number = errorNumber('content-mismatch');
export const BAD_STREAM: number = errorNumber('bad-stream');
export const BAD_SETTINGS: number = errorNumber('bad-settings');
export const BAD_WINDOW: number = errorNumber('bad-window');
export const FLOOD: number = errorNumber('flood');
export const TOO_MANY_STREAMS: number = errorNumber('too-many-streams');
export const BAD_SERVER_FRAME: number = errorNumber('bad-server-frame');
export const SERVER_FLOOD: number = errorNumber('server-flood');

/** The bytes of ASCII text. */
export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** The error that an unexpected byte amounts to; `otherwise` when it is none of the notorious ones. */
export function errorOfByte(byte: number, otherwise: number): number {
  if (byte === 0) return NUL;
  if (byte === LF) return BARE_LF;
  if (byte === CR) return BARE_CR;
  return byte < SP || byte === 0x7f ? CONTROL_CHARACTER : otherwise;
}
