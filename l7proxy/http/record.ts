/** Access-log records of HTTP requests and responses (wire/access-log.ts), made only while somebody wants them. */
import type { AccessLog } from '../../wire/access-log.ts';
import type { Flow } from '../stream/flow.ts';
import { latin1 } from './headers.ts';
import type { Head } from '../http1/head.ts';
import { ALLOW, ALLOW_EDITED, type HttpRecorder } from '../http1/shared.ts';
import { HTTP_ERRORS } from '../http1/syntax.ts';

/** A record, and what the event that carries it tells beside it. */
export interface FlowRecord {
  readonly ctSlot: number;
  readonly isIngress: boolean;
  /** Of the client and of the server, whichever way the message goes. */
  readonly srcIdentity: number;
  readonly dstIdentity: number;
  readonly srcEndpoint: number;
  readonly dstEndpoint: number;
  /** Leads to the rules that allowed the request, or that did not; 0 = none was for its sender. */
  readonly cookie: number;
  readonly log: AccessLog;
}

export type RecordSink = (record: FlowRecord) => void;

interface RequestTicket {
  readonly sinceMs: number;
  readonly method: string;
  readonly url: string;
  readonly protocol: string;
  readonly isIngress: boolean;
  readonly cookie: number;
}

export class FlowRecorder implements HttpRecorder {
  isOn = false;
  nowMs = 0;
  readonly #sink: RecordSink;

  constructor(sink: RecordSink | undefined) {
    this.#sink = sink ?? (() => {});
  }

  /** One record for each rule set that judged, egress first; none behind a denial. */
  request(owner: unknown, bytes: Uint8Array, head: Head, verdict: number): object {
    const flow = owner as Flow;
    const { judge } = flow;
    const isAllowed = verdict === ALLOW || verdict === ALLOW_EDITED;
    const ticket: RequestTicket = {
      sinceMs: this.nowMs,
      method: latin1(bytes, head.methodStart, head.methodEnd),
      url: urlOf(bytes, head),
      protocol: `HTTP/1.${head.minor}`,
      isIngress: flow.ingressRuleSet !== 0,
      cookie: flow.ingressRuleSet !== 0 ? judge.ingressCookie : judge.egressCookie,
    };
    const base = { Method: ticket.method, URL: ticket.url, Protocol: ticket.protocol, Headers: headersOf(bytes, head) };
    const edited = verdict === ALLOW_EDITED || Object.keys(judge.edits.missing).length > 0;
    const edits = edited
      ? { MissingHeaders: lists(judge.edits.missing), RejectedHeaders: lists(judge.edits.rejected) }
      : {};
    const tell = (isIngress: boolean, isDenied: boolean, cookie: number) => {
      const HTTP = isDenied ? { Code: 403, ...base, ...edits } : { ...base, ...edits };
      this.#emit(flow, isIngress, cookie, { Type: 'Request', Verdict: isDenied ? 'Denied' : 'Forwarded', HTTP });
    };
    if (flow.egressRuleSet !== 0) tell(false, judge.deniedBy === 1, judge.egressCookie);
    if (flow.ingressRuleSet !== 0 && (isAllowed || judge.deniedBy === 2)) {
      tell(true, judge.deniedBy === 2, judge.ingressCookie);
    }
    return ticket;
  }

  response(owner: unknown, request: object | undefined, head: Head): void {
    const ticket = request as RequestTicket | undefined;
    if (ticket === undefined) return;
    const HTTP = { Code: head.status, Method: ticket.method, URL: ticket.url, Protocol: ticket.protocol };
    const LatencyNs = Math.round((this.nowMs - ticket.sinceMs) * 1e6);
    const log: AccessLog = { Type: 'Response', Verdict: 'Forwarded', LatencyNs, HTTP };
    this.#emit(owner as Flow, ticket.isIngress, ticket.cookie, log);
  }

  error(owner: unknown, error: number): void {
    const flow = owner as Flow;
    const { name, status } = HTTP_ERRORS[error];
    const HTTP = { Code: status, Method: '', URL: '', Protocol: 'HTTP/1.1' };
    const Type = status === 502 ? 'Response' : 'Request';
    this.#emit(flow, flow.ingressRuleSet !== 0, 0, { Type, Verdict: 'Error', Info: name, HTTP });
  }

  #emit(flow: Flow, isIngress: boolean, cookie: number, log: AccessLog): void {
    const { slot, srcIdentity, dstIdentity, srcEndpoint, dstEndpoint } = flow;
    this.#sink({ ctSlot: slot, isIngress, srcIdentity, dstIdentity, srcEndpoint, dstEndpoint, cookie, log });
  }
}

/** As Cilium writes it: `http://host/path`. */
function urlOf(bytes: Uint8Array, head: Head): string {
  const path = latin1(bytes, head.pathStart, head.pathEnd);
  const host = head.host < 0 ? '' : latin1(bytes, head.valueStart[head.host], head.valueEnd[head.host]);
  return `http://${host}${path.startsWith('/') ? path : `/${path}`}`;
}

function headersOf(bytes: Uint8Array, head: Head): Record<string, string[]> {
  const headers = Object.create(null) as Record<string, string[]>;
  for (let i = 0; i < head.headerCount; i++) {
    const name = canonical(latin1(bytes, head.nameStart[i], head.nameEnd[i]));
    if (name === 'Host') continue; // in the URL
    headers[name] ??= [];
    headers[name].push(latin1(bytes, head.valueStart[i], head.valueEnd[i]));
  }
  return headers;
}

function canonical(name: string): string {
  return name.toLowerCase().replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}

function lists(of: Record<string, string[]>): Record<string, string[]> {
  return Object.fromEntries(Object.entries(of).map(([name, values]) => [canonical(name), values]));
}
