/** HTTP in TCP connections. */
import * as counter from '../../policy-maps/counters.ts';
import { Http1Parser } from '../http1/parser.ts';
import { Http1Shared } from '../http1/shared.ts';
import type { Judges } from '../judge.ts';
import { type JudgeKey, NOBODY, type Parser, type StreamOwner } from '../parser.ts';
import type { CounterReader, ProtocolServices, StreamProtocol } from '../protocol.ts';
import { httpJudges } from './judge.ts';
import type { HttpJudge } from './judgement.ts';
import { HttpRecords } from './record.ts';

export class HttpProtocol implements StreamProtocol<HttpJudge> {
  readonly number = 1;
  readonly counters: readonly CounterReader[];
  readonly shared: Http1Shared;
  readonly #judges: Judges<HttpJudge>;

  constructor(services: ProtocolServices) {
    this.shared = new Http1Shared(services.seed, new HttpRecords(services.log));
    this.#judges = httpJudges(services);
    this.counters = countersOf(this.shared);
  }

  judgeOf(key: JudgeKey): HttpJudge {
    return this.#judges.judgeOf(key);
  }

  /**
   * Version 1 is the only one that is read. HTTP/2 begins with a preface of its own (RFC 9113 3.4), which the parser of
   * version 1 refuses by name: one that chooses by the first bytes of a connection, and then hands all calls on to the
   * parser of that version, belongs here.
   */
  makeParser(): Parser<HttpJudge> {
    return new Http1Parser(this.shared, this.#judges.judgeOf(NOBODY));
  }

  tellError(owner: StreamOwner, error: number): void {
    this.shared.recorder.error(owner, error);
  }
}

function countersOf(shared: Http1Shared): CounterReader[] {
  const errorReader = (error: number): CounterReader => [counter.HTTP_ERROR + error, () => shared.errors[error]];
  return [
    [counter.HTTP_FORWARDED, () => shared.forwarded],
    [counter.HTTP_DENIED, () => shared.denied],
    [counter.HTTP_RESPONSES, () => shared.responses],
    [counter.HTTP_MEMO_HITS, () => shared.memoHits],
    ...[...shared.errors.keys()].slice(1).map(errorReader),
  ];
}
