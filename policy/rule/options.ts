/** What can be configured about policies. Options that Cilium has carry Cilium's names; the rest say so. */

/** Options that are one of these words, or a list of them. */
export const OPTION_WORDS = {
  'enable-policy': ['default', 'always', 'never'],
  'policy-cidr-match-mode': ['nodes', 'pods'],
  'allow-localhost': ['auto', 'always', 'policy'],
  'http-headers-with-underscores': ['refuse-lookalikes', 'refuse', 'allow'],
  'tofqdns-dns-reject-response-code': ['refused', 'nameError'],
  semantics: ['cilium', 'kubernetes'],
} as const;

type Word<Option extends keyof typeof OPTION_WORDS> = (typeof OPTION_WORDS)[Option][number];

export interface PolicyOptions {
  /** Which endpoints are enforced: those selected by a rule (default), all (always), none (never). */
  readonly 'enable-policy': Word<'enable-policy'>;
  /** Would-be drops pass with verdict AUDIT, everywhere. */
  readonly 'policy-audit-mode': boolean;
  /** What CIDR rules match besides the outside world. */
  readonly 'policy-cidr-match-mode': readonly Word<'policy-cidr-match-mode'>[];
  /** Peer selectors without a cluster label mean this cluster. */
  readonly 'policy-default-local-cluster': boolean;
  readonly 'cluster-name': string;
  /** `auto` and `always`: the local host reaches its pods unless denied; `policy`: only if allowed. */
  readonly 'allow-localhost': Word<'allow-localhost'>;
  readonly 'enable-l7-proxy': boolean;
  /** Path patterns of HTTP rules must match whatever a server may take the path for; else only the path as it came. */
  readonly 'http-normalize-path': boolean;
  /**
   * Ours (Envoy: headers_with_underscores_action). A rule about a header allows no request that has, beside or instead of it, one
   * whose name differs in `_` and `-` only; `refuse`: HTTP rules allow no request that has any `_` in a header name.
   */
  readonly 'http-headers-with-underscores': Word<'http-headers-with-underscores'>;
  /** What a query that DNS rules refuse is answered: REFUSED, or NXDOMAIN. */
  readonly 'tofqdns-dns-reject-response-code': Word<'tofqdns-dns-reject-response-code'>;
  readonly 'enable-icmp-rules': boolean;
  readonly 'enable-node-selector-labels': boolean;
  readonly 'enable-extended-ip-protocols': boolean;
  readonly 'enable-non-default-deny-policies': boolean;
  readonly 'enable-host-firewall': boolean;
  /** Patterns of labels that make an identity, in Cilium's grammar; they come before the built-in ones. */
  readonly labels: readonly string[];
  /** Unknown addresses are world-ipv4 (9) or world-ipv6 (10) instead of world (2), as in a dual-stack Cilium. */
  readonly 'dual-stack': boolean;
  /** Ours: `kubernetes` makes ipBlock match pods and nodes too, and policyTypes exclusive. */
  readonly semantics: Word<'semantics'>;
  /** Ours: addresses of this node are identity host. */
  readonly 'node-name': string;
}

export const DEFAULT_OPTIONS: PolicyOptions = {
  'enable-policy': 'default',
  'policy-audit-mode': false,
  'policy-cidr-match-mode': [],
  'policy-default-local-cluster': true,
  'cluster-name': 'default',
  'allow-localhost': 'auto',
  'enable-l7-proxy': true,
  'http-normalize-path': true,
  'http-headers-with-underscores': 'refuse-lookalikes',
  'tofqdns-dns-reject-response-code': 'refused',
  'enable-icmp-rules': true,
  'enable-node-selector-labels': false,
  'enable-extended-ip-protocols': false,
  'enable-non-default-deny-policies': true,
  'enable-host-firewall': false,
  labels: [],
  'dual-stack': false,
  semantics: 'cilium',
  'node-name': 'localhost',
};

export type PolicyConfig = Partial<PolicyOptions>;

export function completeOptions(config: PolicyConfig = {}): PolicyOptions {
  return { ...DEFAULT_OPTIONS, ...config };
}
