/** HTTP in TCP connections. */
import * as counter from '../../policy-maps/counters.ts';
import { Http1Parser } from '../http1/parser.ts';
import { Http1Shared } from '../http1/shared.ts';
import { Http2Parser } from '../http2/parser.ts';
import { Http2Shared } from '../http2/shared.ts';
import type { Judges } from '../judge.ts';
import { type JudgeKey, NOBODY, type Parser, type StreamOwner } from '../parser.ts';
import type { CounterReader, ProtocolServices, StreamProtocol } from '../protocol.ts';
import { httpJudges } from './judge.ts';
import type { HttpJudge } from './judgement.ts';
import { HttpRecords } from './record.ts';
import { HttpParser } from './version.ts';

export class HttpProtocol implements StreamProtocol<HttpJudge> {
  readonly number = 1;
  readonly counters: readonly CounterReader[];
  readonly shared: Http1Shared;
  readonly #judges: Judges<HttpJudge>;
  readonly #shared2: Http2Shared;
  /** Parsers of version 2 that no connection needs now. */
  readonly #free: Http2Parser[] = [];

  constructor(services: ProtocolServices) {
    this.shared = new Http1Shared(services.seed, new HttpRecords(services.log));
    this.#shared2 = new Http2Shared(services.seed, this.shared, services.log);
    this.#judges = httpJudges(services);
    this.counters = countersOf(this.shared);
  }

  judgeOf(key: JudgeKey): HttpJudge {
    return this.#judges.judgeOf(key);
  }

  makeParser(): Parser<HttpJudge> {
    const nobody = this.#judges.judgeOf(NOBODY);
    const { shared } = this;
    return new HttpParser(
      {
        version1: new Http1Parser(shared, nobody),
        takeVersion2: () => this.#free.pop() ?? new Http2Parser(this.#shared2, nobody),
        giveVersion2: (parser) => this.#free.push(parser),
        tellError: (owner, error) => {
          shared.errors[error]++;
          this.tellError(owner, error);
        },
      },
      nobody,
    );
  }

  tellError(owner: StreamOwner, error: number): void {
    if (this.shared.recorder.isOn) this.shared.recorder.error(owner, error, 'HTTP/1.1');
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
