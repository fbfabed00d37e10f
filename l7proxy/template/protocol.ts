/**
 * THE EXAMPLE (docs/adding.md): a protocol of lines, as the registry would have it. It is compiled and tested, but no rule set
 * can name it: `LINES` stands in no table but that of its test.
 */
import {
  FIELD_NAME,
  FIELD_PROTOCOL,
  FIELD_VALUE,
  L7_OTHER,
  type L7RecordWriter,
  TYPE_REQUEST,
  VERDICT_DENIED,
  VERDICT_ERROR,
  VERDICT_FORWARDED,
} from '../../wire/l7-record.ts';
import { Judges } from '../judge.ts';
import { type JudgeKey, NOBODY, type Parser, type StreamOwner } from '../parser.ts';
import { type Protocol, type ProtocolServices, type StreamProtocol, UNREAD } from '../protocol.ts';
import { LineParser, type LineRecords } from './parser.ts';
import { LineJudge, lineOffline, type LineRequest } from './rules.ts';

/** What would be a row of protocols.ts; here it is for tests. */
export const LINES: Protocol<LineRequest> = {
  stream: (services) => new LineProtocol(services),
  datagram: UNREAD,
  offline: lineOffline,
};

export class LineProtocol implements StreamProtocol<LineJudge>, LineRecords {
  readonly number = 7;
  readonly counters = [];
  readonly #services: ProtocolServices;
  readonly #judges: Judges<LineJudge>;

  constructor(services: ProtocolServices) {
    this.#services = services;
    this.#judges = new Judges((key, nextId) => new LineJudge(services, key, nextId));
  }

  judgeOf(key: JudgeKey): LineJudge {
    return this.#judges.judgeOf(key);
  }

  makeParser(): Parser<LineJudge> {
    return new LineParser(this, this.judgeOf(NOBODY));
  }

  tellRequest(owner: StreamOwner, line: string, cookie: number): void {
    if (!this.#services.log.isOn) return;
    const record = this.#begin(owner, Math.max(cookie, 0), cookie < 0 ? VERDICT_DENIED : VERDICT_FORWARDED);
    record.text(FIELD_NAME, 'line');
    record.text(FIELD_VALUE, line);
    this.#services.log.end();
  }

  tellError(owner: StreamOwner): void {
    if (!this.#services.log.isOn) return;
    this.#begin(owner, 0, VERDICT_ERROR);
    this.#services.log.end();
  }

  #begin(owner: StreamOwner, cookie: number, verdict: number): L7RecordWriter {
    const isIngress = owner.ingressRuleSet !== 0;
    const record = this.#services.log.begin(owner, isIngress, cookie, L7_OTHER, TYPE_REQUEST, verdict);
    record.text(FIELD_PROTOCOL, 'lines');
    return record;
  }
}
