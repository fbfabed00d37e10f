/**
 * What the L7 rules say about a request: the rule sets that the compiler made, judged by the code that judges the traffic.
 */
import { Head } from '../l7proxy/http1/head.ts';
import { parseRequest } from '../l7proxy/http1/start-line.ts';
import { RemoteRules, viewOf } from '../l7proxy/http/rules.ts';
import { fqdnRegExp, normalizeName } from '../policy/rule/fqdn.ts';
import type { DnsRule, KafkaRule, L7Rule, L7RuleSet } from '../policy-maps/l7-rules.ts';
import type { HttpRequest, KafkaRequest, FlowQuery } from './query.ts';

export interface L7Answer {
  /** `none`: the query says nothing that these rules judge. */
  readonly verdict: 'allowed' | 'denied' | 'none';
  /** Cookie of the rule that allowed it; 0 = none. */
  readonly cookie: number;
}

const NONE: L7Answer = { verdict: 'none', cookie: 0 };
const DENIED: L7Answer = { verdict: 'denied', cookie: 0 };
/** Requests remembered for each rule set and remote. */
const MEMO_SIZE = 4096;

interface Rules {
  readonly ruleSet: L7RuleSet;
  readonly remote: readonly L7Rule[];
  readonly http: RemoteRules;
  readonly answers: Map<string, L7Answer>;
}

/** Judges requests by rule sets; remembers what it has compiled and answered. */
export class ApplicationJudge {
  readonly #ruleSets: ReadonlyMap<number, L7RuleSet>;
  readonly #rules = new Map<string, Rules>();
  readonly #head = new Head();

  /** @param ruleSets by the id that a redirecting entry names */
  constructor(ruleSets: ReadonlyMap<number, L7RuleSet>) {
    this.#ruleSets = ruleSets;
  }

  /**
   * @param id of the rule set
   * @param remote identity of the other end, as seen from the endpoint whose rules these are
   */
  judge(id: number, remote: number, query: FlowQuery): L7Answer {
    const rules = this.#rulesFor(id, remote);
    if (rules === undefined) return DENIED; // a rule set that is not there lets nothing through
    switch (rules.ruleSet.parser) {
      case 'http':
        return query.http === undefined ? NONE : this.#judgeHttp(rules, query.http);
      case 'dns':
        return query.dns === undefined
          ? NONE
          : firstAllowing(rules.remote, (rule) => allowsDns(rule.dns, query.dns?.query ?? ''));
      case 'kafka':
        return query.kafka === undefined
          ? NONE
          : firstAllowing(rules.remote, (rule) => allowsKafka(rule.kafka, query.kafka ?? {}));
      case 'tls':
        return query.sni === undefined
          ? NONE
          : firstAllowing(rules.remote, (rule) => allowsName(rule.serverNames, query.sni ?? ''));
    }
  }

  #rulesFor(id: number, remote: number): Rules | undefined {
    const key = `${id} ${remote}`;
    const known = this.#rules.get(key);
    const ruleSet = this.#ruleSets.get(id);
    if (known !== undefined && known.ruleSet === ruleSet) return known;
    if (ruleSet === undefined) return undefined;
    const forRemote = ruleSet.rules.filter(({ remotes }) => remotes === null || remotes.includes(remote));
    const made = {
      ruleSet,
      remote: forRemote,
      http: new RemoteRules(ruleSet, remote),
      answers: new Map<string, L7Answer>(),
    };
    this.#rules.set(key, made);
    return made;
  }

  /** The request is written out and read by the parser of the proxy, so that what it refuses is refused here. */
  #judgeHttp({ http, answers }: Rules, request: HttpRequest): L7Answer {
    const key = JSON.stringify(request);
    const known = answers.get(key);
    if (known !== undefined) return known;
    const bytes = Buffer.from(requestText(request), 'utf8');
    const end = parseRequest(this.#head, bytes, 0, bytes.length);
    const edits = { remove: new Set<string>(), add: [], missing: {}, rejected: {} };
    const isAllowed = end > 0 && http.allows(viewOf(bytes, this.#head, 'all'), bytes, this.#head, edits);
    const answer: L7Answer = isAllowed ? { verdict: 'allowed', cookie: http.cookie } : DENIED;
    if (answers.size >= MEMO_SIZE) answers.clear();
    answers.set(key, answer);
    return answer;
  }
}

/** A request names a host on the wire; a query that says none gets one that no rule will name, or its CONNECT's own. */
const UNNAMED_HOST = 'host.invalid';

function requestText({ method = 'GET', path = '/', host, headers = {} }: HttpRequest): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const named = Object.entries(headers).find(([name]) => name.toLowerCase() === 'host');
  const unsaid = method === 'CONNECT' ? path : UNNAMED_HOST;
  const hostLine = named === undefined ? `Host: ${host ?? unsaid}\r\n` : '';
  return `${method} ${path} HTTP/1.1\r\n${hostLine}${lines.join('')}\r\n`;
}

function firstAllowing(rules: readonly L7Rule[], allows: (rule: L7Rule) => boolean): L7Answer {
  const rule = rules.find(allows);
  return rule === undefined ? DENIED : { verdict: 'allowed', cookie: rule.cookie };
}

function allowsDns(rules: readonly DnsRule[] | null | undefined, name: string): boolean {
  if (rules === null || rules === undefined) return true;
  const normalized = normalizeName(name);
  return rules.some((rule) => fqdnRegExp(rule).test(normalized));
}

/** Server names are patterns: `*.a.example` is one label, `**.a.example` any number of them. */
function allowsName(names: readonly string[] | undefined, name: string): boolean {
  if (names === undefined) return true;
  const wanted = name.toLowerCase().replace(/\.$/, '');
  return names.some((pattern) => {
    if (pattern === '*') return true;
    const [, stars, rest] = /^(\*{0,2})(.*)$/.exec(pattern.toLowerCase()) ?? [];
    if (stars === '') return wanted === rest;
    const head = wanted.slice(0, wanted.length - rest.length);
    return wanted.endsWith(rest) && head !== '' && (stars === '**' || !head.includes('.'));
  });
}

/** Kafka request names by api key (kafka.apache.org/protocol#protocol_api_keys), in Cilium's spelling. */
const KAFKA_KEYS = (
  'produce fetch offsets metadata leaderandisr stopreplica updatemetadata controlledshutdown offsetcommit offsetfetch ' +
  'findcoordinator joingroup heartbeat leavegroup syncgroup describegroups listgroups saslhandshake apiversions ' +
  'createtopics deletetopics deleterecords initproducerid offsetforleaderepoch addpartitionstotxn addoffsetstotxn ' +
  'endtxn writetxnmarkers txnoffsetcommit describeacls createacls deleteacls describeconfigs alterconfigs'
).split(' ');
const ROLES = { produce: [0, 3, 18], consume: [1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 18] } as const;
/** Requests that name topics; a topic constraint says nothing about others. */
const TOPIC_KEYS = new Set([0, 1, 2, 3, 4, 5, 6, 8, 9, 19, 20, 21, 23, 24, 27, 28, 34, 35, 37]);

function allowsKafka(rules: readonly KafkaRule[] | null | undefined, request: KafkaRequest): boolean {
  if (rules === null || rules === undefined) return true;
  const { apiKey = 'produce', apiVersion, clientID, topic } = request;
  const key = typeof apiKey === 'number' ? apiKey : KAFKA_KEYS.indexOf(apiKey.toLowerCase());
  return rules.some((rule) => {
    if (rule.role !== undefined && !(ROLES[rule.role] as readonly number[]).includes(key)) return false;
    if (rule.apiKey !== undefined && rule.apiKey !== '' && KAFKA_KEYS.indexOf(rule.apiKey.toLowerCase()) !== key)
      return false;
    if (rule.apiVersion !== undefined && rule.apiVersion !== '' && String(apiVersion) !== rule.apiVersion) return false;
    if (rule.clientID !== undefined && rule.clientID !== '' && clientID !== rule.clientID) return false;
    return rule.topic === undefined || rule.topic === '' || !TOPIC_KEYS.has(key) || topic === rule.topic;
  });
}
