/**
 * Frames of both ends by a seeded draw, most of them nearly right: through a parser, whole or cut. What reaches the server must be
 * legal to a reader with a table of its own, and each request there an allowed one; what reaches the client must be whole frames.
 */
import type { HttpJudge } from '../../l7proxy/http/judgement.ts';
import { HttpProtocol } from '../../l7proxy/http/protocol.ts';
import * as frames from '../../l7proxy/http2/frames.ts';
import { REQUEST, RESPONSE, type Way } from '../../l7proxy/parser.ts';
import {
  block,
  type Field,
  frame,
  HELLO,
  HTTP2_RULES,
  Http2Reader,
  request,
  SETTINGS,
  SETTINGS_ACK,
  setting,
  word,
} from './http2-wire.ts';
import { OWNER, ParserWire } from './parser-wire.ts';
import { draws } from './tcp-rig.ts';
import { ToldLog } from '../told.ts';

const FRAMES_EACH = 100;

export interface MutationCount {
  frames: number;
  connections: number;
  /** Requests that the server saw. */
  served: number;
  /** Connections that the parser ended. */
  ended: number;
  readonly faults: string[];
}

/** What the server may think of the streams that it sees. */
class ServerModel {
  readonly #open = new Map<number, boolean>();
  #last = 0;
  served = 0;

  /** @returns what is wrong with a frame that reached the server */
  faultOf(said: string): string | undefined {
    if (/[\r\n\0]/.test(said)) return `a line end in ${JSON.stringify(said)}`;
    const [type, id, end] = said.split(' ');
    const stream = Number(id);
    switch (type) {
      case 'HEADERS':
        return this.#headers(stream, end === 'end', said);
      case 'DATA':
        if (this.#open.get(stream) !== true) return `DATA of a stream that is not open: ${said}`;
        if (said.endsWith(' end')) this.#open.set(stream, false);
        return undefined;
      case 'RST':
        if (!this.#open.has(stream)) return `RST of a stream that never was: ${said}`;
        this.#open.delete(stream);
        return undefined;
      case 'WINDOW':
        return stream === 0 || this.#open.has(stream) ? undefined : `WINDOW of a stream that is over: ${said}`;
      case 'PUSH':
      case 'CONTINUATION':
        return said;
      default:
        return undefined;
    }
  }

  #headers(stream: number, isEnd: boolean, said: string): string | undefined {
    if (stream <= this.#last) {
      const isTrailers = this.#open.get(stream) === true && isEnd && !said.includes(' :');
      this.#open.set(stream, false);
      return isTrailers ? undefined : `no trailers: ${said}`;
    }
    this.#last = stream;
    this.#open.set(stream, !isEnd);
    this.served++;
    const isAllowed = / :path=\/ok[^ ]*( |$)/.test(said) || said.includes(':authority=db:1');
    return isAllowed && said.split(' :path=').length <= 2 ? undefined : `it was not allowed: ${said}`;
  }
}

class Frames {
  readonly #draw: (below: number) => number;
  #next = 1;
  /** Streams that the client has begun and not ended. */
  readonly #open: number[] = [];

  constructor(draw: (below: number) => number) {
    this.#draw = draw;
  }

  ofClient(): string {
    const draw = this.#draw;
    const kind = this.#next === 1 && draw(50) > 0 ? 0 : draw(60);
    if (kind < 24) return this.#request();
    if (kind < 36) return this.#data();
    switch (kind) {
      case 36:
      case 37:
      case 38:
        if (this.#lacksOpen()) return '';
        return this.#headers(this.#openStream(true), draw(20) === 0 ? 0 : frames.END_STREAM, [['x-sum', '1']]);
      case 39:
      case 40:
      case 41:
        return frame(
          frames.WINDOW_UPDATE,
          0,
          draw(2) * this.#stream(),
          word(draw(30) === 0 ? draw(2) * 0x7fffffff : 1 + draw(9000)),
        );
      case 42:
      case 43:
      case 44:
        if (this.#lacksOpen()) return '';
        return frame(frames.RST_STREAM, 0, this.#openStream(true), word(draw(12)));
      case 45:
      case 46:
        return frame(frames.SETTINGS, 0, 0, draw(3) === 0 ? setting(1 + draw(9), [0, 1, 16_384, 65_535][draw(4)]) : '');
      case 47:
        return draw(5) === 0 ? SETTINGS_ACK : frame(frames.PING, draw(2), 0, '12345678');
      case 48:
        return frame(frames.PRIORITY, 0, this.#stream(), `${word(0)}\x10`);
      case 49:
        return frame(16 + draw(200), draw(256), draw(2) * this.#stream(), this.#bytes(draw(20)));
      case 50:
        return draw(4) > 0 ? '' : frame(draw(16), draw(256), draw(2) * this.#stream(), this.#bytes(draw(20)));
      case 51:
        return draw(4) > 0 ? '' : this.#headers(this.#stream(), draw(2));
      default:
        return draw(2) === 0 ? this.#request() : this.#data();
    }
  }

  #request(): string {
    const flags = this.#draw(3) === 0 ? 0 : frames.END_STREAM;
    const stream = this.#draw(300) === 0 ? this.#draw(40) : this.#next;
    this.#next = Math.max(this.#next, stream | 1) + 2;
    if (flags === 0) this.#open.push(stream);
    return this.#headers(stream, flags);
  }

  /** What is about an open stream has none to be about: mostly then it is left out, for it would end the connection. */
  #lacksOpen(): boolean {
    return this.#open.length === 0 && this.#draw(50) > 0;
  }

  #data(): string {
    const draw = this.#draw;
    if (this.#lacksOpen()) return this.#request();
    const isEnd = draw(5) === 0;
    const padding = draw(10) === 0 ? draw(5) : -1;
    const content = this.#bytes(draw(60));
    const text = padding < 0 ? content : `${String.fromCharCode(padding)}${content}${'\0'.repeat(padding)}`;
    return frame(
      frames.DATA,
      (isEnd ? frames.END_STREAM : 0) | (padding < 0 ? 0 : frames.PADDED),
      this.#openStream(isEnd),
      text,
    );
  }

  /** @param isLast and then it is not open any more */
  #openStream(isLast: boolean): number {
    if (this.#open.length === 0 || this.#draw(200) === 0) return this.#stream();
    const at = this.#draw(this.#open.length);
    return isLast ? this.#open.splice(at, 1)[0] : this.#open[at];
  }

  ofServer(): string {
    const draw = this.#draw;
    if (this.#next === 1 && draw(50) > 0) return '';
    const stream = this.#stream();
    const status = block(
      [
        [':status', '200'],
        ['x', 'y'],
      ],
      draw(2) * 0x40,
    );
    switch (draw(9)) {
      case 0:
      case 1:
      case 2:
        return this.#cut(
          frames.HEADERS,
          draw(2),
          stream,
          draw(3) === 0 ? '\x88' : `${draw(4) === 0 ? ' ' : ''}${status}`,
          1000,
        );
      case 3:
      case 4:
        return frame(frames.DATA, draw(2), stream, this.#bytes(draw(30) === 0 ? draw(16_000) : draw(50)));
      case 5:
        return draw(3) === 0 ? frame(frames.RST_STREAM, 0, stream, word(draw(10))) : '';
      case 6:
        return draw(2) === 0
          ? frame(frames.WINDOW_UPDATE, 0, draw(2) * stream, word(1 + draw(900)))
          : frame(frames.PING, draw(2), 0, '12345678');
      case 7:
        return draw(100) > 0
          ? ''
          : frame([0, 2, 3, 4, 5, 6, 7, 8, 9, 33][draw(10)], draw(256), draw(3) * stream, this.#bytes(draw(20)));
      default:
        return draw(3) === 0 ? SETTINGS : '';
    }
  }

  #stream(): number {
    return this.#draw(400) === 0 ? this.#draw(80) : Math.max(1, this.#next - 2 - 2 * this.#draw(5));
  }

  #bytes(count: number): string {
    return Array.from({ length: count }, () => String.fromCharCode(this.#draw(256))).join('');
  }

  #headers(stream: number, flags: number, fields?: Field[]): string {
    return this.#cut(frames.HEADERS, flags, stream, fields === undefined ? this.#block() : block(fields), 40);
  }

  /** A block in one frame, or in several. @param rarely one in so many is wrong */
  #cut(type: number, flags: number, stream: number, text: string, rarely: number): string {
    const draw = this.#draw;
    if (draw(6) > 0 || text.length < 2) return frame(type, flags | frames.END_HEADERS, stream, text);
    const at = draw(text.length);
    const isOther = draw(rarely) === 0;
    const last = frame(
      frames.CONTINUATION,
      draw(rarely) === 0 ? 0 : frames.END_HEADERS,
      isOther ? 5 : stream,
      text.slice(at),
    );
    return frame(type, flags, stream, text.slice(0, at)) + last;
  }

  #block(): string {
    const draw = this.#draw;
    const path = ['/ok', '/no', '/ok/1', '/ok/../no', '/ok'][draw(5)];
    const more: Field[] = [];
    for (let n = draw(4); n > 0; n--) more.push([`x-${draw(6)}`, 'v'.repeat(draw(20))]);
    if (draw(8) === 0) more.push(['content-length', String(draw(50))]);
    if (draw(12) === 0)
      more.push([
        ['connection', 'host', 'te', 'cookie', 'X-Up', 'x\r\ny', ':path', ''][draw(8)],
        ['a', '/no', 'a\r\nb: c'][draw(3)],
      ]);
    let fields = request(path, more, ['GET', 'POST', 'HEAD', 'CONNECT', 'PUT'][draw(12) % 5]);
    if (draw(10) === 0) fields = fields.filter(() => draw(5) > 0);
    if (draw(15) === 0) fields.push(fields.splice(draw(fields.length), 1)[0] ?? ['x', 'y']);
    let text = fields.map((field) => this.#field(field)).join('');
    if (draw(8) === 0) text = ' ' + text;
    if (draw(40) === 0) text = `\x3f${String.fromCharCode(0x80 | draw(128), draw(32))}${text}`;
    if (draw(40) === 0) text = this.#mutate(text);
    return text;
  }

  #field(field: Field): string {
    const draw = this.#draw;
    if (draw(100) === 0) return String.fromCharCode(0x80 | (1 + draw(66)));
    return block([field], [0, 0x10, 0x40][draw(3)]);
  }

  #mutate(text: string): string {
    const at = this.#draw(text.length + 1);
    const byte = String.fromCharCode(this.#draw(256));
    return text.slice(0, at) + byte + text.slice(at + this.#draw(2));
  }
}

/** Sends `count` frames, over as many connections as it takes. */
export function mutateHttp2(seed: number, count: number): MutationCount {
  const draw = draws(seed);
  const source = { generation: 1, get: () => ({ generation: 1, ruleSet: HTTP2_RULES }) };
  const log = new ToldLog(false, 1);
  const protocol = new HttpProtocol({ name: 'http', ruleSets: source, log, seed: 1 });
  const parser = protocol.makeParser();
  const judge = protocol.judgeOf(OWNER);
  const total: MutationCount = { frames: 0, connections: 0, served: 0, ended: 0, faults: [] };
  while (total.frames < count && total.faults.length < 5) {
    log.nowMs += 10_000;
    log.isOn = draw(4) === 0;
    log.told.length = 0;
    const wire = new ParserWire<HttpJudge>(parser, judge);
    const fault = oneConnection(wire, draw, total);
    if (fault !== undefined) total.faults.push(`connection ${total.connections}: ${fault}`);
    total.connections++;
  }
  return total;
}

function oneConnection(
  wire: ParserWire<HttpJudge>,
  draw: (below: number) => number,
  total: MutationCount,
): string | undefined {
  const made = new Frames(draw);
  const readers = [new Http2Reader(true), new Http2Reader(false)];
  const model = new ServerModel();
  const send = (way: Way, text: string) => {
    const at = draw(3) === 0 ? draw(text.length + 1) : text.length;
    wire.send(way, text.slice(0, at));
    if (at < text.length) wire.send(way, text.slice(at));
  };
  send(REQUEST, HELLO);
  send(RESPONSE, SETTINGS + SETTINGS_ACK);
  if (draw(4) > 0) send(REQUEST, SETTINGS_ACK);
  for (let i = 0; i < FRAMES_EACH && !wire.isClosed && !wire.isReset; i++) {
    const way = draw(3) === 0 ? RESPONSE : REQUEST;
    const text = way === REQUEST ? made.ofClient() : made.ofServer();
    if (text === '') continue;
    send(way, text);
    total.frames++;
    try {
      for (const one of [REQUEST, RESPONSE] as const) {
        const words = readers[one].read(wire.out[one]);
        wire.out[one] = '';
        for (const said of one === REQUEST ? words : []) {
          const fault = model.faultOf(said);
          if (fault !== undefined) return fault;
        }
      }
    } catch (error) {
      // A server that refers to its table is legal to its client; ours reads its answers with the table of the client.
      return `after frame ${i}: ${String(error)}`;
    }
  }
  total.served += model.served;
  if (wire.isClosed) total.ended++;
  return undefined;
}
