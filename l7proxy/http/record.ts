/** Access-log records of HTTP requests and responses (wire/access-log.ts), made only while somebody wants them. */
import type { AccessLog } from '../../wire/access-log.ts';
import { EGRESS, INGRESS } from '../../wire/direction.ts';
import { latin1, UNTOLD } from './headers.ts';
import type { Head } from '../http1/head.ts';
import { ALLOW, ALLOW_EDITED, type Judgement } from './judgement.ts';
import type { HttpRecorder } from '../http1/shared.ts';
import { HTTP_ERRORS } from '../http1/syntax.ts';
import type { StreamOwner } from '../parser.ts';
import type { MessageLog } from '../protocol.ts';

interface RequestTicket {
  readonly sinceMs: number;
  readonly method: string;
  readonly url: string;
  readonly protocol: string;
  readonly isIngress: boolean;
  readonly cookie: number;
}

export class HttpRecords implements HttpRecorder {
  readonly #log: MessageLog;

  constructor(log: MessageLog) {
    this.#log = log;
  }

  get isOn(): boolean {
    return this.#log.isOn;
  }

  /** One record for each rule set that judged, egress first; none behind a denial. */
  request(owner: StreamOwner, bytes: Uint8Array, head: Head, verdict: number, judgement: Judgement): object {
    const { deniedBy, egressCookie, ingressCookie, edits } = judgement;
    const isAllowed = verdict === ALLOW || verdict === ALLOW_EDITED;
    const ticket: RequestTicket = {
      sinceMs: this.#log.nowMs,
      method: latin1(bytes, head.methodStart, head.methodEnd),
      url: urlOf(bytes, head),
      protocol: head.major === 2 ? 'HTTP/2' : `HTTP/1.${head.minor}`,
      isIngress: owner.ingressRuleSet !== 0,
      cookie: owner.ingressRuleSet !== 0 ? ingressCookie : egressCookie,
    };
    const base = {
      Method: ticket.method,
      URL: ticket.url,
      Protocol: ticket.protocol,
      Headers: headersOf(bytes, head, judgement.secretNames),
    };
    const isEdited = verdict === ALLOW_EDITED || Object.keys(edits.missing).length > 0;
    const changes = isEdited ? { MissingHeaders: lists(edits.missing), RejectedHeaders: lists(edits.rejected) } : {};
    const tell = (isIngress: boolean, isDenied: boolean, cookie: number) => {
      const HTTP = isDenied ? { Code: 403, ...base, ...changes } : { ...base, ...changes };
      this.#log.tell(owner, isIngress, cookie, { Type: 'Request', Verdict: isDenied ? 'Denied' : 'Forwarded', HTTP });
    };
    if (owner.egressRuleSet !== 0) tell(false, deniedBy === EGRESS, egressCookie);
    const isForIngress = owner.ingressRuleSet !== 0 && (isAllowed || deniedBy === INGRESS);
    if (isForIngress) tell(true, deniedBy === INGRESS, ingressCookie);
    return ticket;
  }

  response(owner: StreamOwner, request: object | undefined, status: number, Headers?: Record<string, string[]>): void {
    const ticket = request as RequestTicket | undefined;
    if (ticket === undefined) return;
    const { method, url, protocol } = ticket;
    const base = { Code: status, Method: method, URL: url, Protocol: protocol };
    const HTTP = Headers === undefined ? base : { ...base, Headers };
    const LatencyNs = Math.round((this.#log.nowMs - ticket.sinceMs) * 1e6);
    const log: AccessLog = { Type: 'Response', Verdict: 'Forwarded', LatencyNs, HTTP };
    this.#log.tell(owner, ticket.isIngress, ticket.cookie, log);
  }

  error(owner: StreamOwner, error: number, protocol: string): void {
    const { name, status } = HTTP_ERRORS[error];
    const HTTP = { Code: status, Method: '', URL: '', Protocol: protocol };
    const Type = status === 502 ? 'Response' : 'Request';
    this.#log.tell(owner, owner.ingressRuleSet !== 0, 0, { Type, Verdict: 'Error', Info: name, HTTP });
  }
}

/** As Cilium writes it: `http://host/path`; of CONNECT, whose target is the host itself (RFC 9110 9.3.6), `http://host`. */
function urlOf(bytes: Uint8Array, head: Head): string {
  const path = latin1(bytes, head.pathStart, head.pathEnd);
  if (latin1(bytes, head.methodStart, head.methodEnd) === 'CONNECT') return `http://${path}`;
  const host = head.host < 0 ? '' : latin1(bytes, head.valueStart[head.host], head.valueEnd[head.host]);
  return `http://${host}${path.startsWith('/') ? path : `/${path}`}`;
}

function headersOf(bytes: Uint8Array, head: Head, secret: ReadonlySet<string>): Record<string, string[]> {
  const headers = Object.create(null) as Record<string, string[]>;
  for (let i = 0; i < head.headerCount; i++) {
    const written = latin1(bytes, head.nameStart[i], head.nameEnd[i]);
    const name = canonical(written);
    if (name === 'Host') continue; // in the URL
    headers[name] ??= [];
    const isTold = !secret.has(written.toLowerCase());
    headers[name].push(isTold ? latin1(bytes, head.valueStart[i], head.valueEnd[i]) : UNTOLD);
  }
  return headers;
}

function canonical(name: string): string {
  return name.toLowerCase().replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}

function lists(of: Record<string, string[]>): Record<string, string[]> {
  return Object.fromEntries(Object.entries(of).map(([name, values]) => [canonical(name), values]));
}
