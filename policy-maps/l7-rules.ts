/**
 * What an L7 rule set says: the JSON that the agent writes into the `l7_rules` map under an id, and that the L7 engine
 * of the dataplane reads. A policy entry names it by `ruleSet`. The shape follows Cilium's per-port network policy
 * (cilium/proxy NPDS: PortNetworkPolicy): the rules of one (endpoint, direction, port), each with the remotes it is for.
 *
 * @example
 * { "parser": "http", "endpoint": 7, "ingress": true, "port": 80,
 *   "rules": [ { "remotes": [1234], "http": [ { "method": "GET", "path": "/public" } ], "cookie": 3 },
 *              { "remotes": null, "http": null, "cookie": 4 } ] }
 */
export interface L7RuleSet {
  readonly parser: 'http' | 'dns' | 'kafka' | 'tls';
  readonly endpoint: number;
  readonly ingress: boolean;
  readonly port: number;
  readonly rules: readonly L7Rule[];
  /** Underscores in header names; absent = no lookalike of a header that a rule is about, `refuse` = none, `allow` = any. */
  readonly underscores?: 'allow' | 'refuse';
  /** DNS: a refused query is told that its name does not exist (NXDOMAIN); absent = that it is refused (REFUSED). */
  readonly nameError?: boolean;
}

export interface L7Rule {
  /** Security identities this rule is for; null = every remote. */
  readonly remotes: readonly number[] | null;
  /** Requests are allowed when one of these matches; null = every request (a plain allow). */
  readonly http?: readonly HttpRule[] | null;
  readonly dns?: readonly DnsRule[] | null;
  readonly kafka?: readonly KafkaRule[] | null;
  /** Server names (SNI patterns); absent = any. */
  readonly serverNames?: readonly string[];
  readonly cookie: number;
}

/** All given fields must match. method, path and host are RE2 patterns matched against the whole string. */
export interface HttpRule {
  readonly method?: string;
  /** Against the request target with its query string. */
  readonly path?: string;
  /** `path` is compared with the target as it came, and with no other reading of it; absent = false. */
  readonly isPathRaw?: boolean;
  readonly host?: string;
  /** `Name` (present) or `Name: value` / `Name value` (exact). */
  readonly headers?: readonly string[];
  readonly headerMatches?: readonly HeaderMatch[];
}

/** A Secret by its name. */
export interface SecretRef {
  readonly namespace: string;
  readonly name: string;
}

export interface HeaderMatch {
  readonly name: string;
  readonly value?: string;
  /** Where the value comes from; of policies only: in a rule set that is published the value stands in its place. */
  readonly secret?: SecretRef;
  /** The value came from a secret: it is told to nobody. */
  readonly isSecret?: boolean;
  /** What to do when the header is missing or differs; '' (fail the rule) is the default. */
  readonly mismatch?: '' | 'LOG' | 'ADD' | 'DELETE' | 'REPLACE';
}

export interface DnsRule {
  readonly matchName?: string;
  readonly matchPattern?: string;
}

export interface KafkaRule {
  readonly role?: 'produce' | 'consume';
  readonly apiKey?: string;
  readonly apiVersion?: string;
  readonly clientID?: string;
  readonly topic?: string;
}
