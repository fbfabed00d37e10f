/** HTTP rules asked about a request that is written down. */
import type { L7RuleSet } from '../../policy-maps/l7-rules.ts';
import { Head } from '../http1/head.ts';
import { parseRequest } from '../http1/start-line.ts';
import type { OfflineRules } from '../protocol.ts';
import { noEdits } from './judgement.ts';
import { RemoteRules, viewOf } from './rules.ts';

export interface HttpRequest {
  readonly method?: string;
  /** With its query string. */
  readonly path?: string;
  readonly host?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers remembered for each rule set and remote. */
const MEMO_SIZE = 4096;
/** A request names a host on the wire; a query that says none gets one that no rule will name, or its CONNECT's own. */
const UNNAMED_HOST = 'host.invalid';

/** The request is written out and read by the parser of the engine, so that what it refuses is refused here. */
export function httpOffline(ruleSet: L7RuleSet, remote: number): OfflineRules<HttpRequest> {
  const rules = new RemoteRules(ruleSet, remote);
  const head = new Head();
  const answers = new Map<string, number>();
  return (request) => {
    const key = JSON.stringify(request);
    const known = answers.get(key);
    if (known !== undefined) return known;
    const bytes = Buffer.from(requestText(request), 'utf8');
    const end = parseRequest(head, bytes, 0, bytes.length);
    const outcome = end > 0 ? rules.judge(viewOf(bytes, head), bytes, head, noEdits()) : -1;
    const answer = Math.max(outcome, -1);
    if (answers.size >= MEMO_SIZE) answers.clear();
    answers.set(key, answer);
    return answer;
  };
}

function requestText({ method = 'GET', path = '/', host, headers = {} }: HttpRequest): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const named = Object.entries(headers).find(([name]) => name.toLowerCase() === 'host');
  const unsaid = method === 'CONNECT' ? path : UNNAMED_HOST;
  const hostLine = named === undefined ? `Host: ${host ?? unsaid}\r\n` : '';
  return `${method} ${path} HTTP/1.1\r\n${hostLine}${lines.join('')}\r\n`;
}
