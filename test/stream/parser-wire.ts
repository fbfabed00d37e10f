/** A parser with the world around it: applies its operations to two streams of bytes, without TCP. */
import {
  CLOSE,
  DROP,
  INJECT,
  type Judge,
  Operations,
  type Parser,
  PASS,
  REQUEST,
  RESET,
  RESPONSE,
  type StreamOwner,
  type Way,
} from '../../l7proxy/parser.ts';

/** A connection from identity 5 to identity 6, under rule set 1 of the latter. */
export const OWNER: StreamOwner = {
  slot: 1,
  slotGeneration: 2,
  egressRuleSet: 0,
  ingressRuleSet: 1,
  srcIdentity: 5,
  dstIdentity: 6,
  srcEndpoint: 7,
  dstEndpoint: 8,
};

export class ParserWire<J extends Judge, P extends Parser<J> = Parser<J>> {
  readonly parser: P;
  /** What went on each way, one character a byte. */
  readonly out = ['', ''];
  isClosed = false;
  isReset = false;
  readonly #pending = [Buffer.alloc(0), Buffer.alloc(0)];
  readonly #pass = [0, 0];
  readonly #drop = [0, 0];
  readonly #deferred: string[][] = [[], []];
  readonly #operations = new Operations();

  constructor(parser: P, judge: J, owner: StreamOwner = OWNER) {
    this.parser = parser;
    parser.begin(judge, owner);
  }

  send(way: Way, text: string, isEnd = false): this {
    this.#pending[way] = Buffer.concat([this.#pending[way], Buffer.from(text, 'latin1')]);
    this.#advance(way, isEnd);
    const other: Way = way === REQUEST ? RESPONSE : REQUEST;
    if (this.parser.isReady(other)) this.#advance(other, false);
    return this;
  }

  request(text: string): this {
    return this.send(REQUEST, text);
  }

  response(text: string): this {
    return this.send(RESPONSE, text);
  }

  #advance(way: Way, isEnd: boolean): void {
    let wasAskedAtEnd = false;
    for (;;) {
      this.#move(way);
      if (this.isReset || (this.isClosed && way === RESPONSE)) return;
      const bytes = this.#pending[way];
      if (this.#pass[way] > 0 || this.#drop[way] > 0) return;
      if (bytes.length === 0 && (!isEnd || wasAskedAtEnd)) return;
      wasAskedAtEnd = bytes.length === 0;
      this.#operations.clear();
      this.parser.onData(way, bytes, 0, bytes.length, isEnd, this.#operations);
      if (this.#operations.count === 0) return;
      this.#apply(way);
    }
  }

  #move(way: Way): void {
    const passed = Math.min(this.#pass[way], this.#pending[way].length);
    this.out[way] += this.#pending[way].toString('latin1', 0, passed);
    this.#pass[way] -= passed;
    this.#pending[way] = this.#pending[way].subarray(passed);
    if (this.#pass[way] === 0) for (const text of this.#deferred[way].splice(0)) this.out[way] += text;
    const dropped = Math.min(this.#drop[way], this.#pending[way].length);
    this.#drop[way] -= dropped;
    this.#pending[way] = this.#pending[way].subarray(dropped);
  }

  #apply(way: Way): void {
    const { count, code, amount, payload } = this.#operations;
    for (let i = 0; i < count; i++) {
      if (code[i] === PASS) this.#pass[way] = amount[i];
      else if (code[i] === DROP) this.#drop[way] = amount[i];
      else if (code[i] === INJECT) {
        const target = this.#operations.way[i];
        const text = Buffer.from(payload[i]).toString('latin1');
        if (this.#pass[target] > 0 && target !== way) this.#deferred[target].push(text);
        else {
          this.#move(way);
          if (this.#pass[target] > 0) this.#deferred[target].push(text);
          else this.out[target] += text;
        }
      } else if (code[i] === CLOSE) this.isClosed = true;
      else if (code[i] === RESET) this.isReset = true;
      this.#move(way);
    }
  }
}
