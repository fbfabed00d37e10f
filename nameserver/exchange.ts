/**
 * One question to one server, once: over UDP from a socket of its own, and over TCP when the answer was cut short or somebody
 * guesses at it.
 *
 *   asked over UDP --answer--> onAnswer
 *         |  \--- no such port, no route ---> onFailure
 *         +-- TC, or MAX_GUESSES wrong messages ---> asked over TCP --answer--> onAnswer, else onFailure
 *
 * close() ends it at any time; nothing is told after that, or after the first word. There is no clock here: who asks has one. An answer
 * is believed when it comes from the address and port that were asked to the port that asked (the kernel sees to that: the
 * socket is connected, and the kernel drew its port), with the id that was drawn and the question that was asked, and can be
 * read to its last byte, addresses and names in it too. Whatever else comes is counted, and waited past.
 */
import { randomInt } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { closeFd } from '../dataplane/native/index.ts';
import {
  connectDatagrams,
  PEER_BYTES,
  receiveDatagrams,
  sendDatagrams,
  watchReadable,
} from '../dataplane/native/inet.ts';
import { setU16, u16 } from '../wire/bytes.ts';
import { DnsMessage, FLAG_TRUNCATED } from '../wire/dns/message.ts';
import type { Counters } from './counters.ts';
import { isSound } from './soundness.ts';
import { isAnswerTo, type Question, queryBytes } from './upstream-query.ts';
import type { Upstream } from './zone-file.ts';

const SLOTS = 4;
const SLOT_BYTES = 4096;
const MAX_GUESSES = 8;

export interface ExchangeOptions {
  readonly upstream: Upstream;
  readonly question: Question;
  readonly hasOpt: boolean;
  readonly counters: Counters;
  /** @param message parsed; valid until this returns, as are the bytes */
  readonly onAnswer: (message: DnsMessage, bytes: Uint8Array, start: number) => void;
  readonly onFailure: () => void;
}

/** What all exchanges receive into; each is done with it before another begins. */
const arena = new Uint8Array(SLOTS * SLOT_BYTES);
const lengths = new Int32Array(SLOTS);
const peers = new Uint8Array(SLOTS * PEER_BYTES);
const connected = new Uint8Array(PEER_BYTES);
const message = new DnsMessage();

export class Exchange {
  readonly #options: ExchangeOptions;
  #fd = -1;
  #unwatch: (() => void) | undefined;
  #stream: Socket | undefined;
  #id = 0;
  #guesses = 0;
  #isDone = false;

  constructor(options: ExchangeOptions) {
    this.#options = options;
  }

  /** Asks. What fails at once is told at once. */
  begin(): void {
    const { upstream, question, hasOpt } = this.#options;
    this.#id = randomInt(65536);
    const bytes = queryBytes(this.#id, question, hasOpt);
    try {
      this.#fd = connectDatagrams(upstream.address, upstream.port);
      this.#unwatch = watchReadable(this.#fd, () => this.#receive());
    } catch {
      this.#fail();
      return;
    }
    lengths[0] = bytes.length;
    if (sendDatagrams(this.#fd, bytes, bytes.length, 1, lengths, connected) !== 1) this.#fail();
  }

  close(): void {
    this.#isDone = true;
    this.#closeDatagrams();
    this.#stream?.destroy();
  }

  #receive(): void {
    const count = receiveDatagrams(this.#fd, arena, SLOT_BYTES, SLOTS, lengths, peers);
    if (count < 0) this.#fail();
    for (let i = 0; i < count && !this.#isDone && this.#fd >= 0; i++) {
      const start = i * SLOT_BYTES;
      if (!this.#isAnswer(arena, start, start + lengths[i])) this.#guessed();
      else if ((message.flags & FLAG_TRUNCATED) !== 0) this.#askStream();
      else this.#tell(arena, start);
    }
  }

  #isAnswer(bytes: Uint8Array, start: number, end: number): boolean {
    if (message.parse(bytes, start, end) !== 0) return false;
    return isAnswerTo(this.#id, this.#options.question, message, bytes) && isSound(message, bytes, start, end);
  }

  #guessed(): void {
    this.#options.counters.upstreamMismatches++;
    if (++this.#guesses === MAX_GUESSES) this.#askStream();
  }

  #askStream(): void {
    this.#closeDatagrams();
    this.#options.counters.upstreamStreams++;
    const { upstream, question, hasOpt } = this.#options;
    this.#id = randomInt(65536);
    const bytes = queryBytes(this.#id, question, hasOpt);
    const head = new Uint8Array(2);
    setU16(head, 0, bytes.length);
    const stream = connect({ host: upstream.address, port: upstream.port });
    this.#stream = stream;
    let received = Buffer.alloc(0);
    stream.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length >= 2 && received.length >= 2 + u16(received, 0)) this.#readStream(received);
    });
    stream.once('error', () => this.#fail()).once('close', () => this.#fail());
    stream.write(Buffer.concat([head, bytes]));
  }

  #readStream(received: Uint8Array): void {
    if (this.#isAnswer(received, 2, 2 + u16(received, 0))) this.#tell(received, 2);
    else {
      this.#options.counters.upstreamMismatches++;
      this.#fail();
    }
  }

  #tell(bytes: Uint8Array, start: number): void {
    if (this.#isDone) return;
    this.close();
    this.#options.onAnswer(message, bytes, start);
  }

  #fail(): void {
    if (this.#isDone) return;
    this.close();
    this.#options.onFailure();
  }

  #closeDatagrams(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
    if (this.#fd >= 0) closeFd(this.#fd);
    this.#fd = -1;
  }
}
