/** Access-log records of DNS queries and answers (wire/l7-record.ts), made only while somebody wants them. */
import { EGRESS, INGRESS } from '../../wire/direction.ts';
import { DnsAnswers } from '../../wire/dns/answers.ts';
import { DNS_ERROR_KINDS, type DnsMessage, RCODE_SERVER_FAILURE } from '../../wire/dns/message.ts';
import { DomainName } from '../../wire/dns/name.ts';
import {
  FIELD_ADDRESSES,
  FIELD_ALIAS,
  FIELD_ANSWER_TYPES,
  FIELD_INFO,
  FIELD_QUERY,
  FIELD_QUERY_TYPES,
  L7_DNS,
  type L7RecordWriter,
  TYPE_REQUEST,
  TYPE_RESPONSE,
  VERDICT_DENIED,
  VERDICT_ERROR,
  VERDICT_FORWARDED,
} from '../../wire/l7-record.ts';
import type { StreamOwner } from '../parser.ts';
import type { MessageLog } from '../protocol.ts';
import type { DnsJudge } from './rules.ts';

/** Of one answer: what people look at, in a record of bounded length. */
const MAX_ADDRESSES = 64;

export class DnsRecords {
  readonly #log: MessageLog;
  readonly #answers = new DnsAnswers();
  readonly #alias = new DomainName();

  constructor(log: MessageLog) {
    this.#log = log;
  }

  get isOn(): boolean {
    return this.#log.isOn;
  }

  /** A query that was judged: one record for each rule set, egress first; none behind a refusal. */
  request(owner: StreamOwner, judge: DnsJudge, message: DnsMessage, name: DomainName): void {
    const { deniedBy, egressCookie, ingressCookie } = judge;
    if (owner.egressRuleSet !== 0) this.#tellQuery(owner, false, egressCookie, deniedBy === EGRESS, message, name);
    if (owner.ingressRuleSet !== 0 && deniedBy !== EGRESS) {
      this.#tellQuery(owner, true, ingressCookie, deniedBy === INGRESS, message, name);
    }
  }

  #tellQuery(
    owner: StreamOwner,
    isIngress: boolean,
    cookie: number,
    isDenied: boolean,
    message: DnsMessage,
    name: DomainName,
  ): void {
    const verdict = isDenied ? VERDICT_DENIED : VERDICT_FORWARDED;
    writeQuestion(this.#log.begin(owner, isIngress, cookie, L7_DNS, TYPE_REQUEST, verdict), message, name);
    this.#log.end();
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
    const isIngress = owner.ingressRuleSet !== 0;
    const record = this.#log.begin(owner, isIngress, 0, L7_DNS, TYPE_RESPONSE, VERDICT_FORWARDED);
    record.setCode(message.rcode);
    this.#writeAnswer(record, message, name, bytes, start, end);
    this.#log.end();
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
    const record = this.#log.begin(owner, false, 0, L7_DNS, TYPE_RESPONSE, VERDICT_ERROR);
    record.setCode(RCODE_SERVER_FAILURE);
    record.text(FIELD_INFO, 'unpublished');
    this.#writeAnswer(record, message, name, bytes, start, end);
    this.#log.end();
  }

  /** A message that is none, or an answer to no question. */
  error(owner: StreamOwner, isResponse: boolean, error: number): void {
    const type = isResponse ? TYPE_RESPONSE : TYPE_REQUEST;
    const record = this.#log.begin(owner, owner.ingressRuleSet !== 0, 0, L7_DNS, type, VERDICT_ERROR);
    record.text(FIELD_INFO, DNS_ERROR_KINDS[error]);
    this.#log.end();
  }

  #writeAnswer(
    record: L7RecordWriter,
    message: DnsMessage,
    name: DomainName,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const answers = this.#answers;
    writeQuestion(record, message, name);
    const count = Math.min(answers.read(message, bytes, start, end), MAX_ADDRESSES);
    record.setNumber(answers.ttlSec);
    record.fieldHeader(FIELD_ADDRESSES, 4 * 4 * count);
    record.words(answers.addresses, 0, 4 * count);
    answers.list(message, bytes, start, end);
    record.fieldHeader(FIELD_ANSWER_TYPES, 2 * answers.types);
    for (let i = 0; i < answers.types; i++) record.u16(answers.type[i]);
    for (let i = 0; i < answers.aliasesListed; i++) {
      if (!this.#alias.load(bytes, start, end, answers.aliasAt[i])) continue;
      record.field(FIELD_ALIAS, this.#alias.bytes, 0, this.#alias.length);
    }
  }
}

function writeQuestion(record: L7RecordWriter, message: DnsMessage, name: DomainName): void {
  record.field(FIELD_QUERY, name.bytes, 0, name.length);
  record.fieldHeader(FIELD_QUERY_TYPES, 2);
  record.u16(message.type);
}
