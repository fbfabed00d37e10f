/** TLS in TCP connections, as far as the names of its hellos. */
import * as counter from '../../policy-maps/counters.ts';
import { EGRESS, INGRESS } from '../../wire/direction.ts';
import {
  FIELD_INFO,
  FIELD_SERVER_NAME,
  L7_TLS,
  TYPE_REQUEST,
  VERDICT_DENIED,
  VERDICT_ERROR,
  VERDICT_FORWARDED,
} from '../../wire/l7-record.ts';
import { Judges } from '../judge.ts';
import { type JudgeKey, NOBODY, type Parser, type StreamOwner } from '../parser.ts';
import type { CounterReader, ProtocolServices, StreamProtocol } from '../protocol.ts';
import { HelloScratch } from './hello-reader.ts';
import { TlsParser, type TlsRecords } from './parser.ts';
import { TlsJudge } from './rules.ts';

/** What became of hellos. */
class TlsCounters {
  forwarded = 0;
  denied = 0;
  /** Connections refused, by TLS_ERROR_KINDS. */
  readonly errors: Float64Array = new Float64Array(counter.TLS_ERROR_KINDS.length);
}

export class TlsProtocol implements StreamProtocol<TlsJudge>, TlsRecords {
  readonly number = 3;
  readonly scratch: HelloScratch = new HelloScratch();
  readonly counters: readonly CounterReader[];
  readonly counted: TlsCounters = new TlsCounters();
  readonly #services: ProtocolServices;
  readonly #judges: Judges<TlsJudge>;

  constructor(services: ProtocolServices) {
    this.#services = services;
    this.#judges = new Judges((key, nextId) => new TlsJudge(services, key, nextId));
    const { counted } = this;
    const errorReader = (error: number): CounterReader => [counter.TLS_ERROR + error, () => counted.errors[error]];
    this.counters = [
      [counter.TLS_FORWARDED, () => counted.forwarded],
      [counter.TLS_DENIED, () => counted.denied],
      ...[...counted.errors.keys()].slice(1).map(errorReader),
    ];
  }

  judgeOf(key: JudgeKey): TlsJudge {
    return this.#judges.judgeOf(key);
  }

  makeParser(): Parser<TlsJudge> {
    return new TlsParser(this, this.judgeOf(NOBODY));
  }

  /** One record for each rule set that judged, egress first; none behind a denial. */
  tellHello(owner: StreamOwner, judge: TlsJudge, bytes: Uint8Array, start: number, end: number): void {
    const { deniedBy, egressCookie, ingressCookie } = judge;
    if (deniedBy === 0) this.counted.forwarded++;
    else this.counted.denied++;
    if (!this.#services.log.isOn) return;
    if (owner.egressRuleSet !== 0) {
      this.#tell(owner, false, egressCookie, verdictOf(deniedBy === EGRESS), bytes, start, end);
    }
    if (owner.ingressRuleSet !== 0 && deniedBy !== EGRESS) {
      this.#tell(owner, true, ingressCookie, verdictOf(deniedBy === INGRESS), bytes, start, end);
    }
  }

  #tell(
    owner: StreamOwner,
    isIngress: boolean,
    cookie: number,
    verdict: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const { log } = this.#services;
    log.begin(owner, isIngress, cookie, L7_TLS, TYPE_REQUEST, verdict).field(FIELD_SERVER_NAME, bytes, start, end);
    log.end();
  }

  tellError(owner: StreamOwner, error: number): void {
    this.counted.errors[error]++;
    const { log } = this.#services;
    if (!log.isOn) return;
    log
      .begin(owner, owner.ingressRuleSet !== 0, 0, L7_TLS, TYPE_REQUEST, VERDICT_ERROR)
      .text(FIELD_INFO, counter.TLS_ERROR_KINDS[error]);
    log.end();
  }
}

function verdictOf(isDenied: boolean): number {
  return isDenied ? VERDICT_DENIED : VERDICT_FORWARDED;
}
