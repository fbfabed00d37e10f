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
import { HttpParser, type VersionParsers } from './version.ts';

export class HttpProtocol implements StreamProtocol<HttpJudge> {
  readonly number = 1;
  readonly counters: readonly CounterReader[];
  readonly shared: Http1Shared;
  readonly #judges: Judges<HttpJudge>;
  readonly #shared2: Http2Shared;
  /** Parsers of each version that no connection needs now. */
  readonly #free1: Http1Parser[] = [];
  readonly #free2: Http2Parser[] = [];
  readonly #parsers: VersionParsers;

  constructor(services: ProtocolServices) {
    this.shared = new Http1Shared(services.seed, new HttpRecords(services.log));
    this.#shared2 = new Http2Shared(services.seed, this.shared, services.log);
    this.#judges = httpJudges(services);
    this.counters = countersOf(this.shared);
    const nobody = this.#judges.judgeOf(NOBODY);
    this.#parsers = {
      takeVersion1: () => this.#free1.pop() ?? new Http1Parser(this.shared, nobody),
      giveVersion1: (parser) => this.#free1.push(parser),
      takeVersion2: () => this.#free2.pop() ?? new Http2Parser(this.#shared2, nobody),
      giveVersion2: (parser) => this.#free2.push(parser),
      tellError: (owner, error) => {
        this.shared.errors[error]++;
        this.tellError(owner, error);
      },
    };
  }

  judgeOf(key: JudgeKey): HttpJudge {
    return this.#judges.judgeOf(key);
  }

  makeParser(): Parser<HttpJudge> {
    return new HttpParser(this.#parsers, this.#judges.judgeOf(NOBODY));
  }

  tellError(owner: StreamOwner, error: number): void {
    if (this.shared.recorder.isOn) this.shared.recorder.error(owner, error, 0x11);
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
