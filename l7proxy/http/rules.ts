/**
 * HTTP rules, compiled: may this identity make this request?
 *
 * A rule set holds rules for remotes (security identities); the HTTP rules of all that name a remote are alternatives.
 *
 *  1. Rules that do not name the remote do not exist for it.
 *  2. One of them without an HTTP list allows every request (a plain allow beside an L7 rule lifts the list).
 *  3. Of one HTTP rule all fields must match; method, path and host as whole strings.
 *  4. The host is every one that the request names: Host, and the authority of its target. Each must match.
 *  5. CONNECT needs a rule that names it (namesConnect), for nothing behind it is judged and many servers do not tunnel:
 *     they answer 200 as to any request and read the next. A pattern that merely matches it was written for requests.
 *  6. The path must be allowed in each of its readings (path.ts), not necessarily by one and the same rule; what a rule spells
 *     out is meant (path-pattern.ts). For a rule with `isPathRaw` it has one reading, itself.
 *  7. A header that a condition is about must not have a lookalike (headers.ts) in the request, unless the rule set says
 *     `underscores: allow`, or the condition only logs. With `underscores: refuse` no header name may have an underscore.
 *  8. Nor may Connection name such a header: whoever stands before the server would take it away.
 *  9. When some header condition has an action, all rules are looked at, for each that matches may edit the head;
 *     otherwise the first that matches decides.
 */
import type { HttpRule, L7RuleSet } from '../../policy-maps/l7-rules.ts';
import type { Head } from '../http1/head.ts';
import {
  compileHeaders,
  type HeaderCondition,
  type HeaderEdits,
  hasLookalike,
  hasUnderscore,
  headerValue,
  isHopHeader,
  latin1,
  meets,
  noteMismatch,
} from './headers.ts';
import { compilePattern, type Pattern } from './pattern.ts';
import { asText, isPlain, type PathView, viewPath } from './path.ts';
import { PathPattern, RawPathPattern, type TargetPattern } from './path-pattern.ts';
import { RuleIndex } from './rule-index.ts';

interface CompiledRule {
  readonly method: Pattern | null;
  readonly namesConnect: boolean;
  readonly path: TargetPattern | null;
  readonly host: Pattern | null;
  readonly headers: readonly HeaderCondition[];
  readonly hasActions: boolean;
  readonly cookie: number;
}

/** A request as rules see it. */
export interface RequestView {
  readonly method: string;
  /** Host, when there is one, and the authority of the target, when it has one and they differ. */
  readonly hosts: readonly string[];
  readonly path: PathView;
}

/** What is judged of a head, as text. */
export function viewOf(bytes: Uint8Array, head: Head): RequestView {
  const method = latin1(bytes, head.methodStart, head.methodEnd);
  const hosts = [head.host < 0 ? '' : asText(latin1(bytes, head.valueStart[head.host], head.valueEnd[head.host]))];
  const authority = asText(latin1(bytes, head.authorityStart, head.authorityEnd));
  if (authority !== '' && authority !== hosts[0]) hosts.push(authority);
  const raw = latin1(bytes, head.pathStart, head.pathEnd);
  const isOne = isPlain(bytes, head.pathStart, head.pathEnd);
  return { method, hosts, path: isOne ? plainPath(asText(raw)) : viewPath(raw) };
}

/** A path that is read in one way. */
export function plainPath(target: string): PathView {
  return { target, readings: [target], features: 0 };
}

/** The rules of one rule set for one remote. */
export class RemoteRules {
  readonly #rules: readonly CompiledRule[];
  readonly #index: RuleIndex;
  /** Cookie of the rule that allows everything, -1 when there is none. */
  readonly #openCookie: number;
  readonly #underscores: L7RuleSet['underscores'];
  /** Whether verdicts depend on headers other than Host. */
  readonly readsHeaders: boolean;
  /** Whether a head may have to be edited. */
  readonly hasActions: boolean;
  /** Lower-case names of headers that verdicts depend on, or that are edited. */
  readonly headerNames: ReadonlySet<string>;
  /** Lower-case names of headers that are compared with secrets. */
  readonly secretNames: ReadonlySet<string>;
  /** 0 = no rule is for this remote. */
  readonly #firstCookie: number;

  constructor(ruleSet: L7RuleSet, remote: number) {
    const rules: CompiledRule[] = [];
    let openCookie = -1;
    for (const rule of ruleSet.rules) {
      if (rule.remotes !== null && !rule.remotes.includes(remote)) continue;
      if (rule.http === null || rule.http === undefined) openCookie = openCookie < 0 ? rule.cookie : openCookie;
      else for (const http of rule.http) rules.push(...compileRule(http, rule.cookie));
    }
    this.#rules = rules;
    this.#index = new RuleIndex(rules.map(({ path }) => path?.prefix ?? ''));
    this.#underscores = ruleSet.underscores;
    this.#openCookie = openCookie;
    this.#firstCookie = rules[0]?.cookie ?? 0;
    this.readsHeaders = ruleSet.underscores === 'refuse' || rules.some((rule) => rule.headers.length > 0);
    this.hasActions = rules.some((rule) => rule.hasActions);
    const judged = rules.flatMap(({ headers }) => headers.filter(({ mismatch }) => mismatch !== 'LOG'));
    this.headerNames = new Set(judged.map(({ name }) => name));
    const secret = rules.flatMap(({ headers }) => headers.filter(({ isSecret }) => isSecret));
    this.secretNames = new Set(secret.map(({ name }) => name));
  }

  /**
   * @param edits taken down when rules with actions match; pass the same object for all rule sets of a connection
   * @returns the cookie of the rule that allows the request; ~ of that of the first that might have, when it is denied
   */
  judge(view: RequestView, bytes: Uint8Array, head: Head, edits: HeaderEdits): number {
    if (this.#underscores === 'refuse' && hasUnderscore(bytes, head)) return ~this.#firstCookie;
    let cookie = this.#openCookie;
    if (cookie >= 0 && !this.hasActions) return cookie;
    for (const path of view.path.readings) {
      const matched = this.#matchPath(view, path, bytes, head, edits);
      if (matched < 0 && this.#openCookie < 0) return ~this.#firstCookie;
      if (cookie < 0) cookie = matched;
    }
    return Math.max(cookie, 0);
  }

  /** @returns the cookie of the first rule that allows this reading, or -1 */
  #matchPath(view: RequestView, path: string | null, bytes: Uint8Array, head: Head, edits: HeaderEdits): number {
    let cookie = -1;
    const isConnect = view.method === 'CONNECT';
    const isOne = view.path.readings.length === 1 && path === view.path.target;
    for (const number of isOne ? this.#index.about(path) : this.#index.all) {
      const rule = this.#rules[number];
      if (isConnect && !rule.namesConnect) continue;
      if (rule.method !== null && !rule.method.matches(view.method)) continue;
      if (rule.path !== null && !rule.path.matches(view.path, path)) continue;
      if (rule.host !== null && !matchesAll(rule.host, view.hosts)) continue;
      if (this.#underscores !== 'allow' && looksAmbiguous(rule, bytes, head)) continue;
      if (isTakenAway(rule, bytes, head) || !headersMatch(rule, bytes, head, edits)) continue;
      if (cookie < 0) cookie = rule.cookie;
      if (!this.hasActions) break;
    }
    return cookie;
  }
}

function matchesAll(pattern: Pattern, texts: readonly string[]): boolean {
  for (const text of texts) if (!pattern.matches(text)) return false;
  return true;
}

function looksAmbiguous({ headers }: CompiledRule, bytes: Uint8Array, head: Head): boolean {
  for (const { name, mismatch } of headers) if (mismatch !== 'LOG' && hasLookalike(bytes, head, name)) return true;
  return false;
}

function isTakenAway({ headers }: CompiledRule, bytes: Uint8Array, head: Head): boolean {
  if (!head.namesHopHeaders) return false;
  for (const { name, mismatch } of headers) if (mismatch !== 'LOG' && isHopHeader(bytes, head, name)) return true;
  return false;
}

function headersMatch(rule: CompiledRule, bytes: Uint8Array, head: Head, edits: HeaderEdits): boolean {
  for (const condition of rule.headers) {
    if (condition.mismatch === '' && !meets(condition, headerValue(bytes, head, condition.name))) return false;
  }
  if (!rule.hasActions) return true;
  for (const condition of rule.headers) {
    if (condition.mismatch === '') continue;
    const value = headerValue(bytes, head, condition.name);
    if (!meets(condition, value)) noteMismatch(edits, condition, value);
  }
  return true;
}

/**
 * Whether a method pattern has the word CONNECT in it, as `CONNECT` and `GET|CONNECT` have. `.*`, `[A-Z]+` and `C.*` match
 * the word, but their author need not have thought of it; that the pattern matches is asked beside this.
 */
function namesConnect(method = ''): boolean {
  return /(?<![A-Za-z])CONNECT(?![A-Za-z])/.test(method);
}

/** A rule that cannot be obeyed is left out: it allows nothing. */
function compileRule(rule: HttpRule, cookie: number): CompiledRule[] {
  const headers = compileHeaders(rule);
  const compile = <T>(text: string | undefined, make: (text: string) => T): T | null =>
    text === undefined || text === '' ? null : make(text);
  const method = compile(rule.method, compilePattern);
  const path = compile(rule.path, (text) =>
    rule.isPathRaw === true ? new RawPathPattern(text) : new PathPattern(text),
  );
  const host = compile(rule.host, compilePattern);
  if (headers === undefined || method?.isBroken || path?.isBroken || host?.isBroken) return [];
  return [
    {
      method,
      namesConnect: namesConnect(rule.method),
      path,
      host,
      headers,
      hasActions: headers.some((h) => h.mismatch !== ''),
      cookie,
    },
  ];
}
