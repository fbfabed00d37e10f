/** Access-log records of HTTP requests and responses (wire/l7-record.ts), made only while somebody wants them. */
import { EGRESS, INGRESS } from '../../wire/direction.ts';
import {
  FIELD_BYTES,
  FIELD_INFO,
  FIELD_MISSING,
  FIELD_REJECTED,
  FIELD_VALUE,
  type FieldBlock,
  L7_HTTP,
  type L7RecordWriter,
  TYPE_REQUEST,
  TYPE_RESPONSE,
  TYPE_SAMPLE,
  VERDICT_DENIED,
  VERDICT_ERROR,
  VERDICT_FORWARDED,
} from '../../wire/l7-record.ts';
import type { HttpRecorder } from '../http1/shared.ts';
import { HTTP_ERRORS } from '../http1/syntax.ts';
import type { StreamOwner } from '../parser.ts';
import type { MessageLog } from '../protocol.ts';
import type { RequestNote } from './request-note.ts';
import { Tickets } from './tickets.ts';

const NS_PER_MS = 1e6;

export class HttpRecords implements HttpRecorder {
  readonly tickets: Tickets = new Tickets();
  readonly #log: MessageLog;

  constructor(log: MessageLog) {
    this.#log = log;
  }

  get isOn(): boolean {
    return this.#log.isOn;
  }

  /** One record for each rule set that judged, egress first; none behind a denial. */
  request(owner: StreamOwner, note: RequestNote): number {
    const { deniedBy, isAllowed, egressCookie, ingressCookie } = note;
    const isIngress = owner.ingressRuleSet !== 0;
    if (owner.egressRuleSet !== 0) this.#tellRequest(owner, false, egressCookie, deniedBy === EGRESS, note);
    if (isIngress && (isAllowed || deniedBy === INGRESS)) {
      this.#tellRequest(owner, true, ingressCookie, deniedBy === INGRESS, note);
    }
    if (!isAllowed) return 0;
    return this.tickets.take(owner, this.#log.nowMs, isIngress, isIngress ? ingressCookie : egressCookie, note);
  }

  #tellRequest(owner: StreamOwner, isIngress: boolean, cookie: number, isDenied: boolean, note: RequestNote): void {
    const verdict = isDenied ? VERDICT_DENIED : VERDICT_FORWARDED;
    const record = this.#log.begin(owner, isIngress, cookie, L7_HTTP, TYPE_REQUEST, verdict);
    record.setKind(note.version, 0);
    if (isDenied) record.setCode(403);
    record.copy(note.bytes, note.start, note.end);
    writeLists(record, FIELD_MISSING, note.edits.missing);
    writeLists(record, FIELD_REJECTED, note.edits.rejected);
    if (note.isCut) record.isCut = true;
    this.#log.end();
  }

  response(owner: StreamOwner, ticket: number, status: number, version: number, fields: FieldBlock | null): void {
    const { tickets } = this;
    const isIngress = ticket === 0 ? owner.ingressRuleSet !== 0 : tickets.isIngress[ticket] === 1;
    const cookie = tickets.cookie[ticket];
    const record = this.#log.begin(owner, isIngress, cookie, L7_HTTP, TYPE_RESPONSE, VERDICT_FORWARDED);
    record.setKind(ticket === 0 ? version : tickets.version[ticket], 0);
    record.setCode(status);
    if (ticket !== 0) {
      record.setNanoseconds(Math.round((this.#log.nowMs - tickets.sinceMs[ticket]) * NS_PER_MS));
      this.#writeAsked(record, ticket);
    }
    if (fields !== null) record.copy(fields.bytes, 0, fields.end);
    this.#log.end();
  }

  #writeAsked(record: L7RecordWriter, ticket: number): void {
    const { tickets } = this;
    const from = tickets.fieldsAt(ticket);
    record.copy(tickets.fieldsOf(ticket), from, from + tickets.length[ticket]);
    if (tickets.isCut[ticket] === 1) record.isCut = true;
  }

  openTunnel(ticket: number): void {
    if (ticket !== 0) this.tickets.openTunnel(ticket, this.#log.nowMs);
  }

  carried(ticket: number, isFromClient: boolean, bytes: number): void {
    const { tickets } = this;
    if (isFromClient) tickets.fromClient[ticket] += bytes;
    else tickets.toClient[ticket] += bytes;
    tickets.lastMs[ticket] = this.#log.nowMs;
  }

  release(ticket: number): void {
    if (ticket === 0) return;
    const { tickets } = this;
    const owner = tickets.owner[ticket];
    if (tickets.isTunnel[ticket] === 1 && owner !== null && this.isOn) this.#tellTunnel(owner, ticket);
    tickets.give(ticket);
  }

  #tellTunnel(owner: StreamOwner, ticket: number): void {
    const { tickets } = this;
    const isIngress = tickets.isIngress[ticket] === 1;
    const cookie = tickets.cookie[ticket];
    const record = this.#log.begin(owner, isIngress, cookie, L7_HTTP, TYPE_SAMPLE, VERDICT_FORWARDED);
    record.setKind(tickets.version[ticket], 0);
    record.setNanoseconds(Math.round((tickets.lastMs[ticket] - tickets.sinceMs[ticket]) * NS_PER_MS));
    record.fieldHeader(FIELD_BYTES, 16);
    record.double(tickets.fromClient[ticket]);
    record.double(tickets.toClient[ticket]);
    this.#writeAsked(record, ticket);
    this.#log.end();
  }

  error(owner: StreamOwner, error: number, version: number): void {
    const { name, status } = HTTP_ERRORS[error];
    const type = status === 502 ? TYPE_RESPONSE : TYPE_REQUEST;
    const record = this.#log.begin(owner, owner.ingressRuleSet !== 0, 0, L7_HTTP, type, VERDICT_ERROR);
    record.setKind(version, 0);
    record.setCode(status);
    record.text(FIELD_INFO, name);
    this.#log.end();
  }
}

function writeLists(record: L7RecordWriter, tag: number, lists: Readonly<Record<string, readonly string[]>>): void {
  for (const name in lists) {
    for (const value of lists[name]) {
      record.text(tag, name);
      record.text(FIELD_VALUE, value);
    }
  }
}
