/**
 * What `sluice.yaml` may say: one table of options with type, default, range and meaning. The reader (config/reader.ts),
 * the command-line flags and docs/configuration.md are all checked against this table, so an option exists everywhere or nowhere.
 *
 * Policy options carry Cilium's option names and live under `policy:`, table sizes under `maps:`; both as in cilium-config,
 * so that a line can be carried over as it is.
 */
import { isIP } from 'node:net';
import { labelPatternProblem } from '../../policy/rule/label-filter.ts';
import { OPTION_WORDS } from '../../policy/rule/options.ts';
import { DEFAULT_MASQUERADE_PORTS } from '../../policy-maps/service/translation-settings.ts';
import { ATTACH_MODES } from '../../wire/port-kinds.ts';
import { MAGLEV_TABLE_SIZE, MAGLEV_TABLE_SIZES } from '../../policy-maps/service/maglev.ts';
import { rangeProblem } from '../attach/range.ts';
import { readFaults } from '../source/fault-text.ts';
import type { Option } from './option.ts';
import { listenAddressProblem } from './listen-address.ts';
import { HUBBLE } from './schema-hubble.ts';
import { KUBERNETES } from './schema-kubernetes.ts';
import { DNS } from './schema-names.ts';
import { TOFQDNS } from './schema-tofqdns.ts';
import { OFFLOAD, OFFLOAD_MAPS } from './schema-offload.ts';
import { UI } from './schema-ui.ts';
import { KUBE_API } from './schema-kube-api.ts';

const cidrOf = (family: 4 | 6) => (value: string) => rangeProblem(value, family);
const addressOf = (family: 4 | 6) => (value: string) =>
  value.includes('%') || isIP(value) !== family ? `an IPv${family} address` : undefined;
const absolutePath = (value: string) => (value.startsWith('/') ? undefined : 'an absolute path');
const instanceName = (value: string) =>
  /^[a-z][a-z0-9-]{0,9}$/.test(value) ? undefined : 'at most 10 of [a-z0-9-], a letter first (it prefixes interfaces)';
const cidr = (value: string) => rangeProblem(value);

const flag = (meaning: string, fallback: boolean): Option => ({ type: 'boolean', meaning, fallback });
const size = (meaning: string, fallback: number, max: number, min = 16): Option => ({
  type: 'integer',
  meaning,
  fallback,
  min,
  max,
});

const POLICY: Readonly<Record<string, Option>> = {
  'enable-policy': {
    type: 'string',
    meaning: 'when endpoints are enforced: when a policy selects them, always, or never',
    fallback: 'default',
    values: OPTION_WORDS['enable-policy'],
  },
  'policy-cidr-match-mode': {
    type: 'list',
    meaning: 'what CIDR rules match besides the world',
    fallback: [],
    values: OPTION_WORDS['policy-cidr-match-mode'],
  },
  'policy-audit-mode': flag('let pass what policy would drop, with the verdict AUDIT', false),
  'policy-default-local-cluster': flag('peer selectors mean this cluster unless they name another', true),
  'allow-localhost': {
    type: 'string',
    meaning: 'whether the host always reaches the pods',
    fallback: 'auto',
    values: OPTION_WORDS['allow-localhost'],
  },
  'allow-icmp-frag-needed': flag('let ICMPv4 "fragmentation needed" from outside pass every policy', true),
  'enable-icmp-rules': flag('accept icmps in policies', true),
  'enable-l7-proxy': flag('accept L7 rules in policies', true),
  'http-normalize-path': flag(
    'HTTP path rules must match whatever a server may take the path for; false: the path as it came, and nothing else',
    true,
  ),
  'http-headers-with-underscores': {
    type: 'string',
    meaning: 'header names that some servers take for one: X_User beside a rule about X-User',
    fallback: 'refuse-lookalikes',
    values: OPTION_WORDS['http-headers-with-underscores'],
  },
  'tofqdns-dns-reject-response-code': {
    type: 'string',
    meaning: 'what a DNS query that rules refuse is answered: REFUSED, or NXDOMAIN (nameError)',
    fallback: 'refused',
    values: OPTION_WORDS['tofqdns-dns-reject-response-code'],
  },
  ...TOFQDNS,
  'enable-extended-ip-protocols': flag('accept VRRP, IGMP, GRE, IPIP, IPV6, ESP, AH in toPorts', false),
  'enable-node-selector-labels': flag('accept fromNodes and toNodes', false),
  'enable-non-default-deny-policies': flag('honour enableDefaultDeny', true),
  'enable-host-firewall': flag('policies with a nodeSelector are enforced on the host port', false),
  'dual-stack': flag('unknown addresses are world-ipv4 or world-ipv6 instead of world', false),
  labels: {
    type: 'list',
    meaning: 'which labels make an identity, before the built-in patterns',
    fallback: [],
    check: labelPatternProblem,
  },
  semantics: {
    type: 'string',
    meaning: 'whether ipBlock matches pods: not as Cilium has it, or as Kubernetes says',
    fallback: 'cilium',
    values: OPTION_WORDS.semantics,
  },
};

const SERVICES: Readonly<Record<string, Option>> = {
  'bpf-lb-algorithm': {
    type: 'string',
    meaning:
      'how a backend is chosen, unless a Service says otherwise: by chance, or by a table that the client finds its place in',
    fallback: 'random',
    values: ['random', 'maglev'],
  },
  'bpf-lb-maglev-table-size': {
    type: 'integer',
    meaning: `places of a Maglev table, one of ${MAGLEV_TABLE_SIZES.join(', ')}`,
    fallback: MAGLEV_TABLE_SIZE,
    min: 251,
    max: 131071,
  },
  'ipv4-service-loopback-address': {
    type: 'string',
    meaning:
      'who a pod believes to talk to when a Service leads back to itself; an empty string: such connections are dropped',
    fallback: '169.254.42.1',
    check: addressOf(4),
  },
  'ipv6-service-loopback-address': {
    type: 'string',
    meaning: 'the same for IPv6',
    fallback: 'fd00:10:96:ffff::1',
    check: addressOf(6),
  },
  'service-no-backend-response': {
    type: 'string',
    meaning: 'what a client of a Service without backends gets: a reset or an ICMP error, or nothing',
    fallback: 'reject',
    values: ['reject', 'drop'],
  },
};

const MAPS: Readonly<Record<string, Option>> = {
  'bpf-policy-map-max': size("entries of one endpoint's policy", 16384, 65536),
  'bpf-ct-global-tcp-max': size('TCP connections tracked', 524288, 1048448, 1024),
  'bpf-ct-global-any-max': size('other flows tracked', 262144, 1048448, 1024),
  'bpf-fragments-map-max': size('datagrams whose fragments are under way', 8192, 65536),
  'bpf-policy-stats-map-max': size('policy entries with packet counts', 65536, 65536),
  'bpf-ipcache-map-max': size('prefixes with an identity', 512000, 1048576),
  'bpf-endpoints-map-max': size('addresses of local endpoints', 65535, 65535),
  'bpf-l7-rules-map-max': size('units of 64 bytes for all L7 rule sets together', 262144, 4194304, 1024),
  'bpf-l7-state-map-max': size('blocks of 224 bytes for the states of L7 parsers', 65536, 1048576, 64),
  'bpf-fqdn-map-max': size('addresses of names that policies speak of', 65536, 1048576),
  'bpf-lb-service-map-max': size('addresses and ports of services', 65536, 1048576),
  'bpf-lb-maglev-map-max': size(
    'units of 64 bytes for the backends of all services (a power of two)',
    1048576,
    16777216,
    64,
  ),
  'bpf-lb-service-backend-map-max': size('backends of services', 262144, 4194304),
  'bpf-lb-rev-nat-map-max': size('numbers of service frontends', 65536, 1048576),
  'bpf-lb-source-range-map-max': size('prefixes of loadBalancerSourceRanges', 65536, 1048576),
  'bpf-lb-affinity-map-max': size('clients of services with session affinity', 65536, 1048576),
  'egress-gateway-policy-map-max': size('rows of egress gateway policies', 16384, 1048576),
  'bpf-nat-global-max': size('translated connections', 524288, 1048448, 1024),
  ...OFFLOAD_MAPS,
  'bpf-events-map-max': size('records in the ring of events but drops (a power of two)', 8192, 1048576, 64),
  'bpf-drop-events-map-max': size(
    'records in the ring of drops (a power of two): as many drops a second are told one by one, the others as counts',
    65536,
    1048576,
    64,
  ),
  'bpf-drop-counts-map-max': size('kinds of drops that are counted at once (a power of two)', 4096, 65536, 64),
  'bpf-l7-events-map-max': size(
    'slots of 256 bytes in the ring of access-log records (a power of two)',
    32768,
    1048576,
    1024,
  ),
};

const UPLINK: Readonly<Record<string, Option>> = {
  mode: {
    type: 'string',
    meaning:
      'host: what is outside is reached as the host reaches it, which keeps its interfaces; interface: by uplink.interface; none: it is dropped (169). Default: interface if one is named, else host if there is a hostPort, else none',
    fallback: '',
    values: ['', 'host', 'interface', 'none'],
  },
  interface: { type: 'string', meaning: 'existing interface that becomes the way out; the host stack loses it' },
  gateway4: { type: 'string', meaning: 'next hop for IPv4', check: addressOf(4) },
  gateway6: { type: 'string', meaning: 'next hop for IPv6', check: addressOf(6) },
  prefixes: {
    type: 'list',
    meaning: 'what the host itself reaches through it (routes on <name>_host); pods send there whatever is no pod',
    fallback: [],
    check: cidr,
  },
};

const MASQUERADE: Readonly<Record<string, Option>> = {
  mode: {
    type: 'string',
    meaning: 'whether pods are seen outside with an address of the host: with uplink.mode host only, always, or never',
    fallback: 'auto',
    values: ['auto', 'always', 'never'],
  },
  'ipv4-native-routing-cidr': {
    type: 'string',
    meaning: "destinations that see pods' own addresses",
    fallback: '',
    check: cidrOf(4),
  },
  'ipv6-native-routing-cidr': { type: 'string', meaning: 'the same for IPv6', fallback: '', check: cidrOf(6) },
  ipv4: {
    type: 'string',
    meaning: "the address that pods have outside; default: that of the host's default route, or of the uplink",
    fallback: '',
    check: addressOf(4),
  },
  ipv6: { type: 'string', meaning: 'the same for IPv6', fallback: '', check: addressOf(6) },
  ports: {
    type: 'string',
    meaning: 'ports and echo ids of masqueraded connections, FIRST-LAST: the host must not use them itself',
    fallback: `${DEFAULT_MASQUERADE_PORTS.first}-${DEFAULT_MASQUERADE_PORTS.last}`,
    check: (value) => (readPortRange(value) === undefined ? 'FIRST-LAST, within 1024 to 65535' : undefined),
  },
};

/** @returns undefined for what is no range of ports */
export function readPortRange(text: string): { first: number; last: number } | undefined {
  const [, first = 0, last = 0] = (/^(\d{4,5})-(\d{4,5})$/.exec(text) ?? []).map(Number);
  return first >= 1024 && first <= last && last <= 65535 ? { first, last } : undefined;
}

/** The whole of `sluice.yaml`. */
export const OPTIONS: Readonly<Record<string, Option>> = {
  name: {
    type: 'string',
    meaning:
      'instance name, at most 10 characters: prefixes interfaces (`sluice_host`), the nft table and the run directory',
    fallback: 'sluice',
    check: instanceName,
  },
  runDir: { type: 'string', meaning: 'socket, maps and state; default /run/<name>', fallback: '', check: absolutePath },
  stateDir: {
    type: 'string',
    meaning: 'where applied objects, identities and addresses outlive a clean stop (/var/lib/sluice); default: nowhere',
    fallback: '',
    check: absolutePath,
  },
  manifests: { type: 'string', meaning: 'directory of manifests, watched', fallback: '', check: absolutePath },
  secretsDir: {
    type: 'string',
    meaning: 'directory of secrets for header rules, <namespace>/<name>/<key>, watched',
    fallback: '',
    check: absolutePath,
  },
  logLevel: {
    type: 'string',
    meaning: 'least level that is logged',
    fallback: 'info',
    values: ['debug', 'info', 'warn', 'error'],
  },
  socketGroup: { type: 'string', meaning: 'group that may use the API socket besides root', fallback: '' },
  netnsPrefix: {
    type: 'string',
    meaning: "put before <namespace>-<pod> to name a pod's network namespace",
    fallback: '',
  },
  createNamespaces: flag('make network namespaces that are missing (rigs); they are removed on exit', false),
  standIns: {
    type: 'commands',
    meaning:
      'what `sluice rig up` and pods of the Kubernetes API run in containers that name an image and no command: pattern of the image -> command, see [pods](pods.md#images)',
    fallback: {},
  },
  attach: { type: 'string', meaning: 'how pods are attached', fallback: 'veth', values: ATTACH_MODES },
  ...OFFLOAD,
  mtu: { type: 'integer', meaning: 'MTU of pods and host port', fallback: 1500, min: 576, max: 65521 },
  podCIDRs: {
    type: 'map',
    meaning:
      'ranges that pods without status.podIP draw from, which must be routed nowhere else (an address of them that no pod has is dropped, from outside and to it); an empty string switches a family off',
    options: {
      ipv4: { type: 'string', meaning: 'IPv4 range', fallback: '10.244.0.0/16', check: cidrOf(4) },
      ipv6: { type: 'string', meaning: 'IPv6 range', fallback: 'fd00:10:244::/64', check: cidrOf(6) },
    },
  },
  serviceCIDRs: {
    type: 'map',
    meaning: "ranges of the Services' own addresses; an empty string switches a family off",
    options: {
      ipv4: { type: 'string', meaning: 'IPv4 range', fallback: '10.96.0.0/16', check: cidrOf(4) },
      ipv6: { type: 'string', meaning: 'IPv6 range', fallback: 'fd00:10:96::/112', check: cidrOf(6) },
    },
  },
  loadBalancerCIDRs: {
    type: 'map',
    meaning:
      'ranges that Services of type LoadBalancer draw an address from, when their documents give none; default: none',
    options: {
      ipv4: { type: 'string', meaning: 'IPv4 range', fallback: '', check: cidrOf(4) },
      ipv6: { type: 'string', meaning: 'IPv6 range', fallback: '', check: cidrOf(6) },
    },
  },
  announce: {
    type: 'string',
    meaning:
      'addresses of Services that this machine answers ARP and neighbour discovery for on its links, and reaches itself: those of load balancers within loadBalancerCIDRs (pool); also others that a status or externalIPs name (all), whoever wrote them; or none',
    fallback: 'pool',
    values: ['pool', 'all', 'none'],
  },
  router: {
    type: 'map',
    meaning: "the gateway address of pods, which is also the host's; default: the first address of each range",
    options: {
      ipv4: { type: 'string', meaning: 'IPv4 address', fallback: '', check: addressOf(4) },
      ipv6: { type: 'string', meaning: 'IPv6 address', fallback: '', check: addressOf(6) },
    },
  },
  hostPort: flag('give the host a port of its own (<name>_host), identity host', true),
  tcpMidstream: flag(
    'a TCP segment without SYN may take up a connection that conntrack does not know, as in Linux (nf_conntrack_tcp_loose) and Cilium; false: it is dropped (138), and a connection ends with its conntrack entry',
    true,
  ),
  uplink: { type: 'map', meaning: "the way out of the pods' world, see [outside](outside.md)", options: UPLINK },
  masquerade: {
    type: 'map',
    meaning: 'with which address and port pods are seen outside, see [outside](outside.md)',
    options: MASQUERADE,
  },
  clusterName: { type: 'string', meaning: 'value of the cluster label', fallback: 'default' },
  nodeName: {
    type: 'string',
    meaning: 'pods whose spec.nodeName differs are remote; default: the host name',
    fallback: '',
  },
  keepMaps: flag('leave the map files on exit', false),
  healthProbeInterval: {
    type: 'integer',
    meaning: 'seconds between echo probes of a pod, 0 = none',
    fallback: 60,
    min: 0,
    max: 86400,
  },
  eventRate: {
    type: 'integer',
    meaning: 'event records a second from the dataplane, 0 = no limit',
    fallback: 20000,
    min: 0,
    max: 10000000,
  },
  faults: {
    type: 'string',
    meaning:
      'faults made on purpose in what comes in by each port, for tests of networks: `drop=1%,delay=5ms`, see [pods](pods.md#faults)',
    fallback: '',
    check: (value) => readFaults(value).problem,
  },
  'monitor-aggregation': {
    type: 'string',
    meaning: 'which forwarded packets are recorded',
    fallback: 'medium',
    values: ['none', 'low', 'medium', 'maximum'],
  },
  'prometheus-serve-addr': {
    type: 'string',
    meaning:
      'where metrics of the agent and the dataplane are served, such as 127.0.0.1:9962; default: on the unix socket only',
    fallback: '',
    check: listenAddressProblem,
  },
  'metrics-prefix': {
    type: 'string',
    meaning: 'put before the names of metrics that Cilium has too, so that its dashboards hold',
    fallback: 'cilium_',
    check: (text) => (/^[a-zA-Z_][a-zA-Z0-9_]{0,31}$/.test(text) ? undefined : 'letters, digits and _, a letter first'),
  },
  ...KUBERNETES,
  ...UI,
  ...KUBE_API,
  dns: { type: 'map', meaning: 'names and their addresses, see [DNS](dns.md)', options: DNS },
  hubble: { type: 'map', meaning: "options of flows, with Cilium's names", options: HUBBLE },
  services: { type: 'map', meaning: "options of Services, with Cilium's names", options: SERVICES },
  policy: { type: 'map', meaning: "policy options, with Cilium's names", options: POLICY },
  maps: { type: 'map', meaning: "table capacities, with Cilium's names", options: MAPS },
};
