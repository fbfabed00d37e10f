/**
 * What the L7 rules say about a request: the rule sets that the compiler made, judged by the protocols that judge the
 * traffic (l7proxy/protocols.ts).
 */
import type { OfflineRules, ProtocolName } from '../l7proxy/protocol.ts';
import { PROTOCOLS } from '../l7proxy/protocols.ts';
import type { L7RuleSet } from '../policy-maps/l7-rules.ts';
import type { FlowQuery } from './query.ts';

export interface L7Answer {
  /** `none`: the query says nothing that these rules judge. */
  readonly verdict: 'allowed' | 'denied' | 'none';
  /** Cookie of the rule that allowed it; 0 = none. */
  readonly cookie: number;
}

const NONE: L7Answer = { verdict: 'none', cookie: 0 };
const DENIED: L7Answer = { verdict: 'denied', cookie: 0 };

type Judge = (query: FlowQuery) => L7Answer;

/** The judge of one rule set for one remote, by protocol. */
const JUDGES: { readonly [Name in ProtocolName]: (ruleSet: L7RuleSet, remote: number) => Judge } = {
  http: (ruleSet, remote) => answering(PROTOCOLS.http.offline(ruleSet, remote), ({ http }) => http),
  dns: (ruleSet, remote) => answering(PROTOCOLS.dns.offline(ruleSet, remote), ({ dns }) => dns),
  kafka: (ruleSet, remote) => answering(PROTOCOLS.kafka.offline(ruleSet, remote), ({ kafka }) => kafka),
  tls: (ruleSet, remote) =>
    answering(PROTOCOLS.tls.offline(ruleSet, remote), ({ sni }) =>
      sni === undefined ? undefined : { serverName: sni },
    ),
};

/** @param requestOf what a query says to these rules, if anything */
function answering<Request>(rules: OfflineRules<Request>, requestOf: (query: FlowQuery) => Request | undefined): Judge {
  return (query) => {
    const request = requestOf(query);
    if (request === undefined) return NONE;
    const cookie = rules(request);
    return cookie < 0 ? DENIED : { verdict: 'allowed', cookie };
  };
}

/** Judges requests by rule sets; remembers what it has compiled. */
export class ApplicationJudge {
  readonly #ruleSets: ReadonlyMap<number, L7RuleSet>;
  readonly #judges = new Map<string, { readonly ruleSet: L7RuleSet; readonly judge: Judge }>();

  /** @param ruleSets by the id that a redirecting entry names */
  constructor(ruleSets: ReadonlyMap<number, L7RuleSet>) {
    this.#ruleSets = ruleSets;
  }

  /**
   * @param id of the rule set
   * @param remote identity of the other end, as seen from the endpoint whose rules these are
   */
  judge(id: number, remote: number, query: FlowQuery): L7Answer {
    const ruleSet = this.#ruleSets.get(id);
    if (ruleSet === undefined) return DENIED; // a rule set that is not there lets nothing through
    const key = `${id} ${remote}`;
    let known = this.#judges.get(key);
    if (known?.ruleSet !== ruleSet) {
      known = { ruleSet, judge: JUDGES[ruleSet.parser](ruleSet, remote) };
      this.#judges.set(key, known);
    }
    return known.judge(query);
  }
}
