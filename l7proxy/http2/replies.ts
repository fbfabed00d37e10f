/**
 * What is answered to a request in the server's stead. Header blocks of our own are literals without indexing and static
 * entries: they may stand between those of the server, for they change no table.
 */
import { DENIED_BODY } from '../http1/replies.ts';
import { ascii } from '../http1/syntax.ts';
import { FrameWriter } from './frame-writer.ts';
import * as frames from './frames.ts';

const BODY: Uint8Array = ascii(DENIED_BODY);
export const DENIED_BODY_BYTES: number = BODY.length;

function block(...fields: (readonly [string, string])[]): Uint8Array {
  const writer = new FrameWriter();
  for (const [name, value] of fields) writer.textField(name, value);
  return writer.take();
}

const SERVER = ['server', 'sluice'] as const;
const TEXT = ['content-type', 'text/plain'] as const;

/** Header blocks of answers. */
export const DENIED: Uint8Array = block(
  [':status', '403'],
  ['content-length', String(DENIED_BODY_BYTES)],
  TEXT,
  SERVER,
);
/** Where there is no window for the body. */
export const DENIED_WITHOUT_BODY: Uint8Array = block([':status', '403'], ['content-length', '0'], TEXT, SERVER);
/** Trailers only: PERMISSION_DENIED (gRPC over HTTP/2, "Responses"). */
export const DENIED_GRPC: Uint8Array = block(
  [':status', '200'],
  ['content-type', 'application/grpc'],
  ['grpc-status', '7'],
  ['grpc-message', 'Access denied'],
  SERVER,
);
export const HEAD_TOO_LARGE: Uint8Array = block([':status', '431'], ['content-length', '0'], SERVER);

/** An answer that is a head and nothing else. */
export function writeHead(into: FrameWriter, scratch: FrameWriter, stream: number, head: Uint8Array): void {
  scratch.copy(head);
  into.headers(scratch, stream, true);
}

/** The 403 with its body. */
export function writeDenied(into: FrameWriter, scratch: FrameWriter, stream: number): void {
  scratch.copy(DENIED);
  into.headers(scratch, stream, false);
  into.header(DENIED_BODY_BYTES, frames.DATA, frames.END_STREAM, stream);
  into.copy(BODY);
}
