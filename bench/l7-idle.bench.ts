/**
 * What a connection under HTTP rules keeps once its requests are answered: memory of an engine with some thousands of them, less
 * that of one with none.
 */
import { rulesOf } from '../test/stream/http-wire.ts';
import { HELLO, headers, request, SETTINGS, SETTINGS_ACK } from '../test/stream/http2-wire.ts';
import { Rig, segment } from '../test/stream/tcp-rig.ts';
import * as tcp from '../wire/header/tcp.ts';

const CONNECTIONS = 4000;
const ROUNDS = 5;
const RULES = rulesOf({ method: 'GET', path: '/public(/.*)?' });
const SYN = { flags: tcp.SYN, scale: 7, mss: 1460 };

/** What both ends say before they are silent, in turn. */
type Talk = readonly (readonly [client: string, server: string])[];

const HTTP1: Talk = [
  [
    'GET /public HTTP/1.1\r\nHost: a\r\nUser-Agent: idle\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n',
  ],
];

/** `:status: 200`, which ends the stream. */
const answer = (stream: number) => headers(stream, '\x88');

const HTTP2: Talk = [
  [HELLO, SETTINGS + SETTINGS_ACK],
  [SETTINGS_ACK, ''],
  [headers(1, request('/public')), answer(1)],
  [headers(3, request('/public/more')), answer(3)],
];

/** Both ends of one connection: each acknowledges what it has received. */
class Ends {
  readonly #rig: Rig;
  readonly #slot: number;
  /** By sender, 0 the client: its next byte, and what it has of the other. */
  readonly #next = [100, 500];
  readonly #has = [500, 100];

  constructor(rig: Rig, slot: number) {
    this.#rig = rig;
    this.#slot = slot;
    rig.pass(segment({ ...SYN, seq: 99 }), false, slot);
    rig.pass(segment({ ...SYN, seq: 499, ack: 100, flags: tcp.SYN | tcp.ACK }), true, slot);
    this.say(0, '');
  }

  say(sender: 0 | 1, text: string): void {
    const data = Buffer.from(text, 'latin1');
    this.#rig.pass(segment({ seq: this.#next[sender], ack: this.#has[sender], data }), sender === 1, this.#slot);
    this.#next[sender] += data.length;
    const { toResponder, toInitiator } = this.#rig.take();
    for (const { seq, data: got } of toInitiator) this.#has[0] = Math.max(this.#has[0], seq + got.length);
    for (const { seq, data: got } of toResponder) this.#has[1] = Math.max(this.#has[1], seq + got.length);
  }
}

function memoryBytes(): number {
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Bytes for each of these connections. */
function measure(parts: Talk): number {
  const rig = new Rig(RULES, { maxConnections: 4 * CONNECTIONS }, 4, CONNECTIONS + 1);
  rig.checksStates = false;
  const open = (slot: number) => {
    const ends = new Ends(rig, slot);
    for (const [client, server] of parts) {
      ends.say(0, client);
      ends.say(1, server);
      ends.say(0, '');
      ends.say(1, '');
    }
  };
  open(0);
  rig.results.length = 0;
  const before = memoryBytes();
  for (let slot = 1; slot <= CONNECTIONS; slot++) {
    open(slot);
    rig.results.length = 0;
  }
  const bytes = (memoryBytes() - before) / CONNECTIONS;
  if (rig.streams.table.count !== CONNECTIONS + 1 || rig.streams.pool.usedBytes !== 0) {
    throw new Error(`${rig.streams.table.count} connections, ${rig.streams.pool.usedBytes} bytes of data kept`);
  }
  return bytes;
}

for (let round = 0; round < ROUNDS; round++) {
  for (const [name, parts] of [
    ['HTTP/1', HTTP1],
    ['HTTP/2', HTTP2],
  ] as const) {
    const value = Math.round(measure(parts));
    console.log(JSON.stringify({ metric: `idle ${name} connection`, value, unit: 'bytes' }));
  }
}
