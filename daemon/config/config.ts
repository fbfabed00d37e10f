/**
 * Reads `sluice.yaml` against the table in config/schema.ts. Every problem is reported, with line and column, what was
 * found and what is wanted; with any problem there is no configuration. Flags given on the command line replace what the
 * file says and are checked by the same table.
 */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { PolicyOptions } from '../../policy/rule/options.ts';
import type { AttachMode } from '../../wire/port-kinds.ts';
import { formatProblem, hasErrors, type Problem, quote } from '../../policy/rule/problems.ts';
import { addressFrom, isInside, parseAddress, parseRange } from '../attach/range.ts';
import { MAGLEV_TABLE_SIZES } from '../../policy-maps/service/maglev.ts';
import { contains } from '../../wire/prefix.ts';
import { ConfigReader, type Values } from './reader.ts';
import { readPortRange } from './schema.ts';
import type { HistorySettings } from './schema-hubble-history.ts';
import { hubbleProblems, type HubbleSettings } from './schema-hubble.ts';
import { kubernetesProblems, type KubernetesSettings } from './schema-kubernetes.ts';
import { uiProblems, type UiSettings } from './schema-ui.ts';
import type { KubeApiSettings } from './schema-kube-api.ts';
import { DEFAULT_MASQUERADE_PORTS } from '../../policy-maps/service/translation-settings.ts';

/** The configuration as the daemon uses it: every option present, see config/schema.ts for meanings. */
export interface Config extends UiSettings, KubeApiSettings, KubernetesSettings {
  readonly name: string;
  readonly runDir: string;
  /** '' = applied objects live until the agent is stopped (not: killed). */
  readonly stateDir: string;
  readonly manifests: string;
  /** '' = there are none. */
  readonly secretsDir: string;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly socketGroup: string;
  readonly netnsPrefix: string;
  readonly createNamespaces: boolean;
  /** Pattern of an image -> command that a rig runs in its place. */
  readonly standIns: Readonly<Record<string, readonly string[]>>;
  readonly attach: AttachMode;
  readonly offload: 'none' | 'nft';
  readonly offloadAfterBytes: number;
  readonly mtu: number;
  readonly podCIDRs: { readonly ipv4: string; readonly ipv6: string };
  /** Ranges of services' own addresses; '' = services have none of this family. */
  readonly serviceCIDRs: { readonly ipv4: string; readonly ipv6: string };
  /** Ranges that addresses of load balancers are drawn from; '' = only those that documents give. */
  readonly loadBalancerCIDRs: { readonly ipv4: string; readonly ipv6: string };
  readonly announce: 'pool' | 'all' | 'none';
  readonly router: { readonly ipv4: string; readonly ipv6: string };
  readonly hostPort: boolean;
  readonly tcpMidstream: boolean;
  /** How pods reach what is outside. */
  readonly uplinkMode: 'host' | 'interface' | 'none';
  readonly masquerade: {
    readonly mode: 'auto' | 'always' | 'never';
    readonly 'ipv4-native-routing-cidr': string;
    readonly 'ipv6-native-routing-cidr': string;
    readonly ipv4: string;
    readonly ipv6: string;
    /** Text of readPortRange. */
    readonly ports: string;
  };
  /** Absent when no interface is named. */
  readonly uplink?: {
    readonly interface: string;
    readonly gateway4: string;
    readonly gateway6: string;
    readonly prefixes: readonly string[];
  };
  readonly clusterName: string;
  readonly nodeName: string;
  readonly keepMaps: boolean;
  readonly healthProbeInterval: number;
  readonly eventRate: number;
  /** Text of readFaults; '' for none. */
  readonly faults: string;
  readonly aggregation: 'none' | 'low' | 'medium' | 'maximum';
  readonly dns: {
    readonly enabled: boolean;
    readonly domain: string;
    /** Texts of readNameServer; none = as the host. */
    readonly upstreams: readonly string[];
    readonly guard: boolean;
    readonly guardExcept: readonly string[];
  };
  /** Options of flows by Cilium's names. */
  /** Text of readListenAddress; '' = nowhere. */
  readonly 'prometheus-serve-addr': string;
  readonly 'metrics-prefix': string;
  readonly hubble: HubbleSettings;
  /** Options of Services by Cilium's names. */
  readonly services: {
    readonly 'bpf-lb-algorithm': 'random' | 'maglev';
    readonly 'bpf-lb-maglev-table-size': number;
    readonly 'ipv4-service-loopback-address': string;
    readonly 'ipv6-service-loopback-address': string;
    readonly 'service-no-backend-response': 'reject' | 'drop';
  };
  /** Policy options by Cilium's names, all present. */
  readonly policy: PolicySettings;
  /** Table capacities by Cilium's names, all present. */
  readonly maps: Readonly<Record<string, number>>;
}

/** The router's addresses, at most one a family. */
export function routerAddresses({ router }: Pick<Config, 'router'>): string[] {
  return [router.ipv4, router.ipv6].filter((address) => address !== '');
}

/** Whether pods have an address of the host outside. */
export function isMasquerading({
  uplinkMode,
  masquerade: { mode },
}: Pick<Config, 'uplinkMode' | 'masquerade'>): boolean {
  return uplinkMode !== 'none' && (mode === 'always' || (mode === 'auto' && uplinkMode === 'host'));
}

/** Ports and echo ids of masqueraded connections. */
export function masqueradePorts({ masquerade }: Pick<Config, 'masquerade'>): { first: number; last: number } {
  const range = masquerade.ports === '' ? DEFAULT_MASQUERADE_PORTS : readPortRange(masquerade.ports);
  if (range === undefined) throw new RangeError(`read masquerade.ports: found ${masquerade.ports}, wanted FIRST-LAST`);
  return range;
}

/** Addresses that stand for a pod which reaches itself through a Service, at most one a family. */
export function loopbackAddresses({ services }: Pick<Config, 'services'>): string[] {
  const both = [services['ipv4-service-loopback-address'], services['ipv6-service-loopback-address']];
  return both.filter((address) => address !== '');
}

/** The ranges that pods draw their addresses from, at most one a family. */
export function podRanges({ podCIDRs }: Pick<Config, 'podCIDRs'>): string[] {
  return [podCIDRs.ipv4, podCIDRs.ipv6].filter((range) => range !== '');
}

/** Policy options by Cilium's names: the compiler's, and those that the dataplane reads. */
export type PolicySettings = Omit<PolicyOptions, 'cluster-name' | 'node-name'> & {
  readonly 'allow-icmp-frag-needed': boolean;
  readonly 'tofqdns-min-ttl': number;
  readonly 'tofqdns-endpoint-max-ip-per-hostname': number;
  readonly 'tofqdns-max-deferred-connection-deletes': number;
  /** Texts of readDuration. */
  readonly 'tofqdns-idle-connection-grace-period': string;
  readonly 'tofqdns-proxy-response-max-delay': string;
  readonly 'tofqdns-pre-cache': string;
};

/** Tables that have 2^n entries. */
const POWERS_OF_TWO = [
  'bpf-events-map-max',
  'bpf-drop-events-map-max',
  'bpf-drop-counts-map-max',
  'bpf-l7-events-map-max',
  'bpf-lb-maglev-map-max',
];

/** Thrown by `loadConfig`: the message is one problem a line. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'ERR_CONFIG';
  readonly problems: readonly Problem[];
  constructor(problems: readonly Problem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.problems = problems;
  }
}

/**
 * Reads the file (or only the defaults, without one) and lays `overrides` over it.
 * @param file path of the YAML file; undefined = defaults
 * @param overrides dotted option path -> value, as given on the command line
 * @throws ConfigError with every problem
 */
export function loadConfig(file?: string, overrides: Readonly<Record<string, unknown>> = {}): Config {
  return parseConfig(file === undefined ? '' : readText(file), file ?? 'defaults', overrides);
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'error';
    const message = `read configuration: found ${code}, wanted a file that can be read`;
    throw new ConfigError([{ file, line: 0, column: 0, path: '', severity: 'error', code: 'unreadable', message }]);
  }
}

/** As `loadConfig`, from text. */
export function parseConfig(text: string, file: string, overrides: Readonly<Record<string, unknown>> = {}): Config {
  const reader = new ConfigReader(text, file);
  const values = reader.read(overrides);
  if (hasErrors(reader.problems)) throw new ConfigError(reader.problems);
  const config = finish(values, (path, message) => reader.problem(path, message));
  if (hasErrors(reader.problems)) throw new ConfigError(reader.problems);
  return config;
}

/** Derived defaults, and the rules that span several options. */
function finish(values: Values, problem: (path: string, message: string) => void): Config {
  const { 'monitor-aggregation': aggregation, uplink: given, ...rest } = values as Values & { uplink: Uplink };
  const { interface: ifname, gateway4, gateway6, prefixes } = given;
  const uplink = { interface: ifname, gateway4, gateway6, prefixes };
  const raw = { ...rest, aggregation } as unknown as Config;
  const router = { ipv4: routerAddress(raw, 'ipv4', problem), ipv6: routerAddress(raw, 'ipv6', problem) };
  if (raw.podCIDRs.ipv4 === '' && raw.podCIDRs.ipv6 === '')
    problem('podCIDRs', 'found no range, wanted one for at least one family');
  checkApart(raw, problem);
  const places = raw.services['bpf-lb-maglev-table-size'];
  if (!MAGLEV_TABLE_SIZES.includes(places)) {
    problem('services.bpf-lb-maglev-table-size', `found ${places}, wanted one of ${MAGLEV_TABLE_SIZES.join(', ')}`);
  }
  for (const option of POWERS_OF_TWO) {
    const size = raw.maps[option] ?? 0;
    if ((size & (size - 1)) !== 0) problem(`maps.${option}`, `found ${size}, wanted a power of two`);
  }
  for (const [option, text] of hubbleProblems(raw.hubble)) problem(`hubble.${option}`, text);
  for (const [option, text] of [...uiProblems(raw), ...kubernetesProblems(raw)]) problem(option, text);
  const history = historyOf(raw, problem);
  if (uplink.interface === '' && (uplink.gateway4 !== '' || uplink.gateway6 !== '')) {
    problem('uplink', 'found a gateway without an interface, wanted both: set uplink.interface');
  }
  const uplinkMode = modeOf(raw.hostPort, given, problem);
  return {
    ...raw,
    router,
    uplinkMode,
    hubble: { ...raw.hubble, history },
    runDir: raw.runDir === '' ? `/run/${raw.name}` : raw.runDir,
    nodeName: raw.nodeName === '' ? hostname() : raw.nodeName,
    ...(uplink.interface === '' ? {} : { uplink }),
  };
}

function historyOf({ hubble, stateDir }: Config, problem: (path: string, message: string) => void): HistorySettings {
  const { history } = hubble;
  if (history.directory !== '' || !history.enabled) return history;
  if (stateDir === '') {
    problem('hubble.history.directory', 'found nothing and no stateDir, wanted a directory for the history');
  }
  return { ...history, directory: `${stateDir}/flows` };
}

type Uplink = NonNullable<Config['uplink']> & { readonly mode: Config['uplinkMode'] | '' };

function modeOf(
  hasHostPort: boolean,
  uplink: Uplink,
  problem: (path: string, message: string) => void,
): Config['uplinkMode'] {
  const hasInterface = uplink.interface !== '';
  const unless = hasHostPort ? 'host' : 'none';
  const mode = uplink.mode === '' ? (hasInterface ? 'interface' : unless) : uplink.mode;
  if ((mode === 'interface') !== hasInterface)
    problem(
      'uplink.mode',
      `found ${mode} ${hasInterface ? 'beside' : 'without'} uplink.interface, wanted one way out: an interface, or the host`,
    );
  if (mode === 'host' && !hasHostPort)
    problem('uplink.mode', 'found host and hostPort: false, wanted the host to have a port');
  return mode;
}

/** Ranges of pods, services and load balancers: an address belongs to one of them. */
function checkApart(config: Config, problem: (path: string, message: string) => void): void {
  const options = ['podCIDRs', 'serviceCIDRs', 'loadBalancerCIDRs'] as const;
  for (const family of ['ipv4', 'ipv6'] as const) {
    const ranges = options
      .filter((option) => config[option][family] !== '')
      .map((option) => ({ option, range: parseRange(config[option][family]) }));
    for (const [i, { option, range }] of ranges.entries()) {
      const other = ranges.slice(0, i).find((one) => contains(one.range, range) || contains(range, one.range));
      if (other === undefined) continue;
      problem(
        `${option}.${family}`,
        `found ${quote(range.text)}, which overlaps ${other.option}.${family}, wanted them apart`,
      );
    }
  }
}

function routerAddress(
  config: Config,
  family: 'ipv4' | 'ipv6',
  problem: (path: string, message: string) => void,
): string {
  const range = config.podCIDRs[family];
  const given = config.router[family];
  if (range === '') return given;
  const cidr = parseRange(range);
  if (given === '') return addressFrom(cidr.family, cidr.first + 1n).text;
  const address = parseAddress(given);
  if (!isInside(cidr, address))
    problem(`router.${family}`, `found ${quote(given)}, wanted an address inside ${cidr.text}`);
  return address.text;
}
