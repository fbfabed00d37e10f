/** Exchanges over a wire, as data: what is sent each way in turn, and what must come of it, however it is cut. */
import type t from 'tap';
import { REQUEST, RESPONSE, type Way } from '../../l7proxy/parser.ts';
import { BAD, CHUNKED, CHUNKS, CONNECT, DENIED, HttpWire, OK } from './http-wire.ts';

type Assertions = Pick<typeof t, 'equal' | 'ok' | 'fail'>;

export interface Exchange {
  readonly name: string;
  readonly steps: readonly (readonly [Way, string])[];
  readonly toServer: string;
  readonly toClient: string;
  readonly isClosed?: boolean;
}

/** Sends every exchange whole, byte by byte, and at several splits. */
export function checkExchanges(t: Assertions, exchanges: readonly Exchange[]): void {
  for (const exchange of exchanges) {
    const wire = new HttpWire();
    for (const [way, text] of exchange.steps) wire.send(way, text);
    check(t, wire, exchange, exchange.name);
    const dripping = new HttpWire();
    for (const [way, text] of exchange.steps) for (const byte of text) dripping.send(way, byte);
    check(t, dripping, exchange, `${exchange.name}, byte by byte`);
    for (let split = 1; split < 60; split += 7) {
      const cut = new HttpWire();
      for (const [way, text] of exchange.steps) {
        for (let at = 0; at < text.length; at += split) cut.send(way, text.slice(at, at + split));
      }
      check(t, cut, exchange, `${exchange.name}, ${split} bytes at a time`);
    }
  }
}

function check(t: Assertions, wire: HttpWire, exchange: Exchange, name: string): void {
  t.equal(wire.out[REQUEST], exchange.toServer, `${name}: to the server`);
  const isPrefix = exchange.isClosed === true && exchange.toClient !== '';
  const toClient = isPrefix ? wire.out[RESPONSE].slice(0, exchange.toClient.length) : wire.out[RESPONSE];
  t.equal(toClient, exchange.toClient, `${name}: to the client`);
  t.equal(wire.isClosed, exchange.isClosed ?? false, `${name}: closed or not`);
}

/** Leaves a parser anywhere in every exchange: `begin` must bring it back to the beginning. */
export function checkBegins(t: Assertions, exchanges: readonly Exchange[]): void {
  const answer = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS}`;
  const later: Exchange['steps'] = [
    [0, CHUNKED + CHUNKS + BAD],
    [1, answer],
    [0, CONNECT],
    [1, OK],
    [0, BAD],
  ];
  const fresh = new Int32Array(1);
  t.ok(new HttpWire().parser.saveState(fresh, 0));
  const words = new Int32Array(1);
  let left = 0;
  /** The end of the streams makes half a message an error; without it they are left as a reset leaves them. */
  const leave = (steps: Exchange['steps'], bytes: number, isEnded: boolean) => {
    const wire = new HttpWire();
    let rest = bytes;
    for (const [way, text] of steps) {
      if (rest > 0) wire.send(way, text.slice(0, rest));
      rest -= text.length;
    }
    if (isEnded) wire.send(REQUEST, '', true).send(RESPONSE, '', true);
    const next = wire.next();
    const isFresh = next.parser.saveState(words, 0) && words[0] === fresh[0];
    for (const [way, text] of later) next.send(way, text);
    const isRight =
      next.out[REQUEST] === CHUNKED + CHUNKS + CONNECT + BAD && next.out[RESPONSE] === answer + DENIED + OK;
    if (!isFresh || !isRight) t.fail(`${bytes} bytes of ${JSON.stringify(steps)}, ended ${isEnded}`, { out: next.out });
    left++;
  };
  for (const { steps } of exchanges) {
    const length = steps.reduce((sum, [, text]) => sum + text.length, 0);
    for (let bytes = 1; bytes <= length; bytes += 7) {
      leave(steps, bytes, false);
      leave(steps, bytes, true);
    }
    leave(steps, length, false);
  }
  t.ok(left > exchanges.length * 5, `${left} states`);
}
