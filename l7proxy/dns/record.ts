/** Access-log records of DNS queries and answers (wire/access-log.ts), made only while somebody wants them. */
import type { AccessLogDns } from '../../wire/access-log.ts';
import { formatIp } from '../../wire/address.ts';
import { EGRESS, INGRESS } from '../../wire/direction.ts';
import { DnsAnswers } from '../../wire/dns/answers.ts';
import { DNS_ERROR_KINDS, type DnsMessage, RCODE_SERVER_FAILURE } from '../../wire/dns/message.ts';
import type { DomainName } from '../../wire/dns/name.ts';
import { typeName } from '../../wire/dns/types.ts';
import type { StreamOwner } from '../parser.ts';
import type { MessageLog } from '../protocol.ts';
import type { DnsJudge } from './rules.ts';

/** Of one answer: what people look at, in a record of bounded length. */
const MAX_ADDRESSES = 64;
const MAX_TYPES = 64;

export class DnsRecords {
  readonly #log: MessageLog;
  readonly #answers = new DnsAnswers();

  constructor(log: MessageLog) {
    this.#log = log;
  }

  get isOn(): boolean {
    return this.#log.isOn;
  }

  /** A query that was judged: one record for each rule set, egress first; none behind a refusal. */
  request(owner: StreamOwner, judge: DnsJudge, message: DnsMessage, name: DomainName): void {
    const { deniedBy, egressCookie, ingressCookie } = judge;
    const DNS = questionOf(message, name);
    const tell = (isIngress: boolean, isDenied: boolean, cookie: number) =>
      this.#log.tell(owner, isIngress, cookie, { Type: 'Request', Verdict: isDenied ? 'Denied' : 'Forwarded', DNS });
    if (owner.egressRuleSet !== 0) tell(false, deniedBy === EGRESS, egressCookie);
    if (owner.ingressRuleSet !== 0 && deniedBy !== EGRESS) tell(true, deniedBy === INGRESS, ingressCookie);
  }

  /** An answer that goes on: the message bytes[start, end) was parsed. */
  response(
    owner: StreamOwner,
    message: DnsMessage,
    name: DomainName,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const DNS = this.#answerOf(message, name, bytes, start, end);
    this.#log.tell(owner, owner.ingressRuleSet !== 0, 0, { Type: 'Response', Verdict: 'Forwarded', DNS });
  }

  /** An answer in whose place SERVFAIL goes: it is told with what it would have taught. */
  unpublished(
    owner: StreamOwner,
    message: DnsMessage,
    name: DomainName,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const DNS = { ...this.#answerOf(message, name, bytes, start, end), RCode: RCODE_SERVER_FAILURE };
    this.#log.tell(owner, false, 0, { Type: 'Response', Verdict: 'Error', Info: 'unpublished', DNS });
  }

  /** A message that is none, or an answer to no question. */
  error(owner: StreamOwner, isResponse: boolean, error: number): void {
    const Type = isResponse ? 'Response' : 'Request';
    const Info = DNS_ERROR_KINDS[error];
    const DNS: AccessLogDns = { Query: '', ObservationSource: 'proxy' };
    this.#log.tell(owner, owner.ingressRuleSet !== 0, 0, { Type, Verdict: 'Error', Info, DNS });
  }

  #answerOf(message: DnsMessage, name: DomainName, bytes: Uint8Array, start: number, end: number): AccessLogDns {
    const answers = this.#answers;
    const count = Math.min(answers.read(message, bytes, start, end), MAX_ADDRESSES);
    const IPs: string[] = [];
    for (let i = 0; i < count; i++) {
      const [w0, w1, w2, w3] = answers.addresses.subarray(4 * i, 4 * i + 4);
      IPs.push(formatIp(w0, w1, w2, w3));
    }
    return {
      ...questionOf(message, name),
      RCode: message.rcode,
      IPs,
      TTL: answers.ttlSec,
      CNAMEs: answers.aliasTexts(message, bytes, start, end).slice(0, MAX_TYPES),
      AnswerTypes: answers.typeTexts(message, bytes, start, end).slice(0, MAX_TYPES),
    };
  }
}

function questionOf(message: DnsMessage, name: DomainName): AccessLogDns {
  return { Query: name.text(), ObservationSource: 'proxy', QTypes: [typeName(message.type)] };
}
