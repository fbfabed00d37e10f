/**
 * The filter flags of `hubble observe` as people meet them: what each says, what may stand after it. What they mean is in observe-filter.ts.
 */
import { VALUELESS_FLAGS } from './observe-filter.ts';

export interface FilterFlag {
  /** Without its dashes. */
  readonly name: string;
  /** Its letter; '' = it has none. */
  readonly short: string;
  readonly says: string;
  readonly takesValue: boolean;
  /** Values to show and to complete; others may do as well, which the filters know. */
  readonly values: readonly string[];
}

const SHORT: Readonly<Record<string, string>> = {
  namespace: 'n',
  'all-namespaces': 'A',
  label: 'l',
  type: 't',
  ipv4: '4',
  ipv6: '6',
};

/** Filters of either end, each also with from- and to-. */
const ENDED: Readonly<Record<string, string>> = {
  ip: 'address or CIDR',
  pod: '[namespace/]pod-name prefix',
  namespace: 'namespace',
  'all-namespaces': 'pods of all namespaces',
  label: 'label selector, such as k8s:app=web',
  service: '[namespace/]service',
  port: 'port number',
  workload: '[kind/]name',
  identity: 'security identity, by number or reserved name',
  fqdn: 'DNS name, * for any characters',
  cluster: 'cluster name',
};
const WHOLE: Readonly<Record<string, string>> = {
  not: 'turn the next filter round',
  type: 'event type, or TYPE:SUBTYPE',
  verdict: 'what became of it',
  'drop-reason-desc': 'POLICY_DENIED and the like',
  protocol: 'TCP, UDP, ICMPv4, HTTP, DNS...',
  'tcp-flags': 'flags that are set: SYN,ACK',
  'http-status': '404, or 4+ for all that begin so',
  'http-method': 'HTTP method',
  'http-path': 'regular expression',
  'http-url': 'regular expression',
  'http-header': 'name:value',
  'dns-query': 'regular expression',
  'traffic-direction': 'direction',
  interface: 'network interface',
  reply: 'whether it is a reply',
  uuid: 'flow by its UUID',
  'trace-id': 'trace by its id',
  'ip-trace-id': 'trace of an IP option, by its id',
  'snat-ip': 'address or CIDR that the source became',
  encrypted: 'only encrypted',
  unencrypted: 'only in the clear',
  'node-name': 'node, * for any characters',
  'node-label': 'label selector of the node',
  ipv4: 'only IPv4',
  ipv6: 'only IPv6',
  'ip-version': 'IP version',
  allowlist: 'FlowFilter as JSON',
  denylist: 'FlowFilter as JSON',
};

const VALUES: Readonly<Record<string, readonly string[]>> = {
  type: ['drop', 'l7', 'policy-verdict', 'trace'],
  verdict: ['FORWARDED', 'DROPPED', 'ERROR', 'AUDIT', 'REDIRECTED'],
  'traffic-direction': ['ingress', 'egress'],
  reply: ['true', 'false'],
  'ip-version': ['4', '6', 'v4', 'v6', 'ipv4', 'ipv6'],
};

const flag = (name: string, says: string): FilterFlag => ({
  name,
  short: SHORT[name] ?? '',
  says,
  takesValue: !VALUELESS_FLAGS.includes(name),
  values: VALUES[name] ?? [],
});

/** All of them, in the order in which help lists them. */
export const FILTER_FLAGS: readonly FilterFlag[] = [
  ...Object.entries(WHOLE).map(([name, says]) => flag(name, says)),
  ...Object.entries(ENDED).flatMap(([name, says]) => [
    flag(name, `either end: ${says}`),
    flag(`from-${name}`, `source: ${says}`),
    flag(`to-${name}`, `destination: ${says}`),
  ]),
];
