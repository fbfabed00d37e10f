/** A parser of HTTP on a wire that speaks HTTP/2, with rules; frames to send, and those that came, in words. */
import type { HttpRule, L7RuleSet } from '../../policy-maps/l7-rules.ts';
import type { HttpJudge } from '../../l7proxy/http/judgement.ts';
import { HttpProtocol } from '../../l7proxy/http/protocol.ts';
import { HTTP_ERRORS } from '../../l7proxy/http1/syntax.ts';
import { FieldList } from '../../l7proxy/http2/field-list.ts';
import * as frames from '../../l7proxy/http2/frames.ts';
import { BLOCK_READ, HpackDecoder } from '../../l7proxy/http2/hpack-decoder.ts';
import { REQUEST, RESPONSE, type Way } from '../../l7proxy/parser.ts';
import type { AccessLog } from '../../wire/access-log.ts';
import { ToldLog } from '../told.ts';
import { OWNER, ParserWire } from './parser-wire.ts';

export type Field = readonly [name: string, value: string];

export const PREFACE: string = Buffer.from(frames.PREFACE).toString('latin1');

/** Latin-1 text of one frame. */
export function frame(type: number, flags: number, stream: number, payload: string | Buffer = ''): string {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload;
  const header = Buffer.alloc(9);
  header.writeUIntBE(body.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, body]).toString('latin1');
}

export function word(value: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes.toString('latin1');
}

export function setting(id: number, value: number): string {
  return Buffer.from([id >> 8, id & 0xff]).toString('latin1') + word(value);
}

/** Fields as literals: 0x00 without indexing, 0x40 into the table. */
export function block(fields: readonly Field[], kind = 0): string {
  return fields.map(([name, value]) => String.fromCharCode(kind) + string(name) + string(value)).join('');
}

function string(text: string): string {
  if (text.length < 127) return String.fromCharCode(text.length) + text;
  const bytes = [127];
  let rest = text.length - 127;
  for (; rest >= 128; rest >>>= 7) bytes.push((rest & 127) | 128);
  return String.fromCharCode(...bytes, rest) + text;
}

export const SETTINGS: string = frame(frames.SETTINGS, 0, 0);
export const SETTINGS_ACK: string = frame(frames.SETTINGS, frames.ACK, 0);
/** How every client begins. */
export const HELLO: string = PREFACE + SETTINGS;

export function request(path: string, more: readonly Field[] = [], method = 'GET'): Field[] {
  return [[':method', method], [':scheme', 'http'], [':path', path], [':authority', 'a'], ...more];
}

/** HEADERS with a whole block. */
export function headers(stream: number, fields: readonly Field[] | string, flags: number = frames.END_STREAM): string {
  const text = typeof fields === 'string' ? fields : block(fields);
  return frame(frames.HEADERS, flags | frames.END_HEADERS, stream, text);
}

export function data(stream: number, payload: string, flags = 0): string {
  return frame(frames.DATA, flags, stream, payload);
}

const TYPES = ['DATA', 'HEADERS', 'PRIORITY', 'RST', 'SETTINGS', 'PUSH', 'PING', 'GOAWAY', 'WINDOW', 'CONTINUATION'];

const FIELDS = new FieldList();

/** Reads what one end got: with a table of its own, and strictly. */
export class Http2Reader {
  readonly decoder: HpackDecoder = new HpackDecoder();
  #rest: Buffer = Buffer.alloc(0);
  #isPrefaced: boolean;
  #open: { stream: number; flags: number; block: Buffer } | undefined;

  constructor(isServer: boolean) {
    this.#isPrefaced = !isServer;
  }

  /** Frames that are whole now, one in a word: `HEADERS 1 end :status=403`, `RST 3 8`, `GOAWAY 0 1 5`. */
  read(text: string): string[] {
    this.#rest = Buffer.concat([this.#rest, Buffer.from(text, 'latin1')]);
    if (!this.#isPrefaced) {
      if (this.#rest.length < PREFACE.length) return [];
      if (this.#rest.toString('latin1', 0, PREFACE.length) !== PREFACE) throw new Error('no preface');
      this.#rest = this.#rest.subarray(PREFACE.length);
      this.#isPrefaced = true;
    }
    const words: string[] = [];
    while (this.#rest.length >= 9) {
      const length = this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < 9 + length) break;
      const said = this.#frame(this.#rest.subarray(0, 9), this.#rest.subarray(9, 9 + length));
      if (said !== undefined) words.push(said);
      this.#rest = this.#rest.subarray(9 + length);
    }
    return words;
  }

  /** Bytes of a frame that is not whole. */
  get rest(): number {
    return this.#rest.length;
  }

  #frame(header: Buffer, payload: Buffer): string | undefined {
    const [type, flags] = [header[3], header[4]];
    const stream = header.readUInt32BE(5);
    if (this.#open !== undefined && type !== frames.CONTINUATION)
      throw new Error(`frame ${type} inside a header block`);
    switch (type) {
      case frames.HEADERS:
        this.#open = { stream, flags, block: trimmed(flags, payload) };
        return this.#endBlock(flags);
      case frames.CONTINUATION:
        if (this.#open?.stream !== stream) throw new Error('CONTINUATION of nothing');
        this.#open.block = Buffer.concat([this.#open.block, payload]);
        return this.#endBlock(flags);
      case frames.DATA:
        return `DATA ${stream} ${length(flags, payload)}${flags & frames.END_STREAM ? ' end' : ''}`;
      case frames.SETTINGS: {
        const said = [];
        for (let at = 0; at < payload.length; at += 6)
          said.push(`${payload.readUInt16BE(at)}=${payload.readUInt32BE(at + 2)}`);
        return ['SETTINGS', ...(flags & frames.ACK ? ['ack'] : []), ...said].join(' ');
      }
      case frames.RST_STREAM:
      case frames.WINDOW_UPDATE:
        return `${TYPES[type]} ${stream} ${payload.readUInt32BE(0)}`;
      case frames.GOAWAY:
        return `GOAWAY ${payload.readUInt32BE(0)} ${payload.readUInt32BE(4)}`;
      default:
        return `${TYPES[type] ?? `type ${type}`} ${stream}${flags & frames.ACK ? ' ack' : ''}`;
    }
  }

  #endBlock(flags: number): string | undefined {
    if ((flags & frames.END_HEADERS) === 0 || this.#open === undefined) return undefined;
    const { stream, flags: first, block } = this.#open;
    this.#open = undefined;
    const fields = FIELDS;
    if (this.decoder.decode(block, 0, block.length, fields) !== BLOCK_READ) throw new Error('the table is out of step');
    const text = (from: number, to: number) => Buffer.from(fields.bytes.slice(from, to)).toString('latin1');
    const said = Array.from(
      { length: fields.count },
      (_, i) => `${text(fields.nameStart[i], fields.nameEnd[i])}=${text(fields.valueStart[i], fields.valueEnd[i])}`,
    );
    return [`HEADERS ${stream}`, ...(first & frames.END_STREAM ? ['end'] : []), ...said].join(' ');
  }
}

function trimmed(flags: number, payload: Buffer): Buffer {
  const padding = flags & frames.PADDED ? payload[0] : 0;
  const before = (flags & frames.PADDED ? 1 : 0) + (flags & frames.HAS_PRIORITY ? 5 : 0);
  return Buffer.from(payload.subarray(before, payload.length - padding));
}

function length(flags: number, payload: Buffer): number {
  return flags & frames.PADDED ? payload.length - 1 - payload[0] : payload.length;
}

/** What may pass: GET, HEAD and POST of /ok and what begins so, CONNECT to db:1. */
export const HTTP2_RULES: L7RuleSet = rules(
  { method: 'GET|HEAD|POST', path: '/ok.*' },
  { method: 'CONNECT', path: 'db:1' },
);

export function rules(...http: HttpRule[]): L7RuleSet {
  return { parser: 'http', endpoint: 1, ingress: true, port: 80, rules: [{ remotes: null, cookie: 7, http }] };
}

export class Http2Wire {
  readonly protocol: HttpProtocol;
  readonly wire: ParserWire<HttpJudge>;
  readonly log: ToldLog;
  readonly readers: readonly [Http2Reader, Http2Reader] = [new Http2Reader(true), new Http2Reader(false)];
  readonly #source: { generation: number; get: () => { generation: number; ruleSet: L7RuleSet } | undefined };
  readonly #seen = [0, 0];

  constructor(ruleSet: L7RuleSet = HTTP2_RULES, isRecording = false) {
    this.#source = { generation: 1, get: () => ({ generation: 1, ruleSet }) };
    this.log = new ToldLog(isRecording, 1);
    this.protocol = new HttpProtocol({ name: 'http', ruleSets: this.#source, log: this.log, seed: 1 });
    this.wire = new ParserWire(this.protocol.makeParser(), this.protocol.judgeOf(OWNER));
  }

  get records(): AccessLog[] {
    return this.log.logs;
  }

  /** Other rules from now on; undefined = none are there any more. */
  change(ruleSet: L7RuleSet | undefined): void {
    const generation = ++this.#source.generation;
    this.#source.get = () => (ruleSet === undefined ? undefined : { generation, ruleSet });
  }

  /** Both ends have said their first words, and acknowledged them. */
  begin(clientSettings: string = SETTINGS, serverSettings: string = SETTINGS): this {
    this.client(PREFACE + clientSettings);
    this.server(serverSettings + SETTINGS_ACK);
    this.client(SETTINGS_ACK);
    this.clientSaw();
    this.serverSaw();
    return this;
  }

  client(text: string, isEnd = false): this {
    this.wire.send(REQUEST, text, isEnd);
    return this;
  }

  server(text: string, isEnd = false): this {
    this.wire.send(RESPONSE, text, isEnd);
    return this;
  }

  /** New frames of what went to the server, in words. */
  serverSaw(): string[] {
    return this.#saw(REQUEST);
  }

  clientSaw(): string[] {
    return this.#saw(RESPONSE);
  }

  #saw(way: Way): string[] {
    const text = this.wire.out[way].slice(this.#seen[way]);
    this.#seen[way] = this.wire.out[way].length;
    return this.readers[way].read(text);
  }

  get errors(): string[] {
    return HTTP_ERRORS.filter((_, index) => this.protocol.shared.errors[index] > 0).map((error) => error.name);
  }
}
