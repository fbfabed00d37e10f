/** What an idle connection costs: its object and its parser, after an exchange, with nothing under way. */
import t from 'tap';
import { ToldLog } from '../../test/told.ts';
import {
  block,
  data,
  frame,
  HELLO,
  headers,
  HTTP2_RULES,
  request,
  SETTINGS,
  SETTINGS_ACK,
} from '../../test/stream/http2-wire.ts';
import { OWNER, ParserWire } from '../../test/stream/parser-wire.ts';
import { HttpProtocol } from '../http/protocol.ts';
import { FieldList } from '../http2/field-list.ts';
import { END_STREAM, RST_STREAM } from '../http2/frames.ts';
import { BLOCK_READ, HpackDecoder } from '../http2/hpack-decoder.ts';
import { makeConnection } from './connection.ts';
import { BytePool } from './kept-bytes.ts';

const CONNECTIONS = 1000;
/** Of those that are made busy first. */
const BUSY = 150;
const MAX_BYTES = 4096;

const source = { generation: 1, get: () => ({ generation: 1, ruleSet: HTTP2_RULES }) };
const log = new ToldLog(false, 1);
const protocol = new HttpProtocol({ name: 'http', ruleSets: source, log, seed: 1 });
const pool = new BytePool(1 << 20);

function usedBytes(): number {
  if (globalThis.gc === undefined) throw new Error('found no gc, wanted node --expose-gc');
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** @returns bytes of each */
function cost(exchange: (wire: ParserWire<any>) => void, count = CONNECTIONS): number {
  const make = () => {
    const connection = makeConnection(pool, 65_536, protocol);
    const { parser } = connection;
    const wire = new ParserWire(parser, protocol.judgeOf(OWNER));
    exchange(wire);
    if (wire.isClosed || wire.isReset) throw new Error('found the connection ended, wanted it idle');
    return connection;
  };
  const first = Array.from({ length: 100 }, make); // what is made once
  const before = usedBytes();
  const kept = Array.from({ length: count }, make);
  const bytes = (usedBytes() - before) / kept.length;
  if (first.length === 0) throw new Error('they are to live until now');
  return bytes;
}

const ANSWER = headers(1, [[':status', '200']]);

/** A connection of HTTP/2 after its first exchange, in which the client has put its request into its table or not. */
function begin(wire: ParserWire<any>, kind: number): void {
  wire.request(HELLO);
  wire.response(SETTINGS + SETTINGS_ACK);
  wire.request(SETTINGS_ACK + headers(1, block(request('/ok'), kind)));
  wire.response(ANSWER);
}

t.test('HTTP/1 keeps less than 4 KiB', (t) => {
  const bytes = cost((wire) => {
    wire.request('GET /ok HTTP/1.1\r\nHost: a\r\n\r\n');
    wire.response('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  });
  t.comment(`${Math.round(bytes)} bytes`);
  t.ok(bytes > 500 && bytes < MAX_BYTES, `${bytes} bytes`);
  t.end();
});

t.test('HTTP/2 keeps less than 4 KiB, and the table of a client that has one beside', (t) => {
  const plain = cost((wire) => begin(wire, 0));
  const withTable = cost((wire) => begin(wire, 0x40));
  t.comment(`${Math.round(plain)} bytes, with a table ${Math.round(withTable)}`);
  t.ok(plain > 500 && plain < MAX_BYTES, `${plain} bytes`);
  t.ok(withTable < MAX_BYTES + 2048, `${withTable} bytes`);
  t.end();
});

t.test('what a busy time took is given back', (t) => {
  const busy = (begins: string, stream: number, isReset: boolean) => (wire: ParserWire<any>) => {
    begin(wire, 0x40);
    wire.request(headers(stream, `${begins}${block(request('/ok'))}`));
    wire.response(headers(stream, [[':status', '200']]));
    const streams = Array.from({ length: 100 }, (_, i) => stream + 2 * (i + 1));
    for (const one of streams) wire.request(headers(one, request('/ok', [], 'POST'), 0));
    for (const one of streams) {
      if (isReset) wire.request(frame(RST_STREAM, 0, one, '\0\0\0\x08'));
      else wire.request(data(one, 'x', END_STREAM)).response(headers(one, [[':status', '200']]));
    }
  };
  const bytes = cost(busy('\x20', 3, false), BUSY); // a size update: its table is empty from here on
  t.ok(bytes < MAX_BYTES, `${bytes} bytes`);
  const reset = cost(busy('\x20', 3, true), BUSY);
  t.ok(reset < MAX_BYTES + 2048, `${reset} bytes with the ids of streams that were given up`);
  t.end();
});

t.test('a decoder holds on to no buffer that it has read', (t) => {
  const before = usedBytes();
  const decoders = Array.from({ length: 32 }, () => {
    const decoder = new HpackDecoder();
    const bytes = new Uint8Array(1 << 20);
    bytes[0] = 0x82;
    t.equal(decoder.decode(bytes, 0, 1, new FieldList()), BLOCK_READ);
    return decoder;
  });
  t.ok(usedBytes() - before < 1 << 20, `${decoders.length} of them`);
  t.end();
});
