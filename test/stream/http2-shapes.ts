/** Shapes of HTTP/2 that a client may send, and what becomes of each: whole, and byte by byte. */
import * as frames from '../../l7proxy/http2/frames.ts';
import { type Field, frame, headers, Http2Wire, request, setting, word } from './http2-wire.ts';

/** A request that is allowed. */
export const OK: Field[] = request('/ok');
export const POST: Field[] = request('/ok', [], 'POST');
/** Stream 1, with content to come. */
export const OPEN: string = headers(1, POST, 0);
/** Stream 1, with three bytes of content to come. */
export const THREE: string = headers(1, request('/ok', [['content-length', '3']], 'POST'), 0);
/** Stream 1, given up. */
export const GIVEN_UP: string = OPEN + frame(frames.RST_STREAM, 0, 1, word(8));

export const withFields = (...more: Field[]): Field[] => request('/ok', more);
export const without = (name: string): Field[] => OK.filter(([one]) => one !== name);
export const settings = (...pairs: [number, number][]): string =>
  frame(frames.SETTINGS, 0, 0, pairs.map(([id, value]) => setting(id, value)).join(''));
export const times = (count: number, text: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => text(i)).join('');
/** A request in HEADERS and CONTINUATION, its block cut at `at`. */
export const inTwo = (text: string, at: number): string =>
  frame(frames.HEADERS, frames.END_STREAM, 1, text.slice(0, at)) +
  frame(frames.CONTINUATION, frames.END_HEADERS, 1, text.slice(at));

/** What is asked of a shape. */
type Wanted =
  /** It reaches the server; the client gets nothing. */
  | 'passes'
  /** It goes no further, and nobody minds. */
  | 'dropped'
  /** The stream gets RST_STREAM with this code, and nothing reaches the server. */
  | `stream ${number}`
  /** The connection ends: GOAWAY with this code, nothing of it reaches the server. */
  | `connection ${number}`
  | `status ${number}`;

export interface Shape {
  readonly section: string;
  readonly name: string;
  readonly client: string;
  readonly wanted: Wanted;
  /** What comes first, and is not looked at. */
  readonly before: string;
}

export const shape = (section: string, name: string, client: string, wanted: Wanted, before = ''): Shape => ({
  ...{ section, name, client, wanted, before },
});

/** Each on a connection of its own, after the first exchange. @returns those with another outcome than wanted */
export function unwanted(shapes: readonly Shape[]): string[] {
  const faults: string[] = [];
  for (const { section, name, before, client, wanted } of shapes) {
    for (const isCut of client.length < 2000 ? [false, true] : [false]) {
      const wire = new Http2Wire().begin();
      wire.client(before);
      wire.serverSaw();
      wire.clientSaw();
      for (const piece of isCut ? client : [client]) wire.client(piece);
      const found = outcome(wire);
      if (found !== wanted) faults.push(`${section}: ${name}${isCut ? ', byte by byte' : ''}: ${found}, not ${wanted}`);
    }
  }
  return faults;
}

function outcome(wire: Http2Wire): string {
  const [server, client] = [wire.serverSaw(), wire.clientSaw()];
  const goAway = client.map((one) => /^GOAWAY \d+ (\d+)$/.exec(one)?.[1]).find((code) => code !== undefined);
  const forwarded = server.filter((one) => !one.startsWith('RST'));
  if (goAway !== undefined) {
    const isPart = forwarded.every((one) => /^(SETTINGS|HEADERS 2001|HEADERS 1 :method=POST)/.test(one));
    return isPart && wire.wire.isClosed
      ? `connection ${goAway}`
      : `connection ${goAway}, behind ${forwarded.join(', ')}`;
  }
  if (wire.wire.isClosed || wire.wire.isReset) return 'closed without a word';
  const status = client.map((one) => /:status=(\d+)/.exec(one)?.[1]).find((code) => code !== undefined);
  if (status !== undefined) return forwarded.length === 0 ? `status ${status}` : `status ${status}, and it passed`;
  const reset = client.map((one) => /^RST \d+ (\d+)$/.exec(one)?.[1]).find((code) => code !== undefined);
  if (reset !== undefined) return forwarded.length === 0 ? `stream ${reset}` : `stream ${reset}, and it passed`;
  if (client.some((one) => !one.startsWith('WINDOW'))) return `said ${client.join(', ')}`;
  return server.length > 0 ? 'passes' : 'dropped';
}
