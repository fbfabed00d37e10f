/**
 * THE EXAMPLE (docs/adding.md): a protocol of lines, as the registry would have it. It is compiled and tested, but no rule set
 * can name it: `LINES` stands in no table but that of its test.
 */
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
    const Verdict = cookie < 0 ? 'Denied' : 'Forwarded';
    this.#tell(owner, Math.max(cookie, 0), { Type: 'Request', Verdict, L7: { Proto: 'lines', Fields: { line } } });
  }

  tellError(owner: StreamOwner): void {
    if (this.#services.log.isOn) this.#tell(owner, 0, { Type: 'Request', Verdict: 'Error', L7: { Proto: 'lines' } });
  }

  #tell(owner: StreamOwner, cookie: number, log: Parameters<ProtocolServices['log']['tell']>[3]): void {
    this.#services.log.tell(owner, owner.ingressRuleSet !== 0, cookie, log);
  }
}
