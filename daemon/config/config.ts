/**
 * Reads `sluice.yaml` against the table in config/schema.ts. Every problem is reported, with line and column, what was
 * found and what is wanted; with any problem there is no configuration. Flags given on the command line replace what the
 * file says and are checked by the same table.
 */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { PolicyOptions } from '../../policy/rule/options.ts';
import type { AttachMode } from '../../linux/attachment.ts';
import { addressFrom, contains, parseAddress, parseCidr } from '../cidr.ts';
import { type ConfigProblem, ConfigReader, type Values } from './reader.ts';

/** The configuration as the daemon uses it: every option present, see config/schema.ts for meanings. */
export interface Config {
  readonly name: string;
  readonly runDir: string;
  /** '' = applied objects live until the agent is stopped (not: killed). */
  readonly stateDir: string;
  readonly manifests: string;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly socketGroup: string;
  readonly netnsPrefix: string;
  readonly createNamespaces: boolean;
  readonly attach: AttachMode;
  readonly mtu: number;
  readonly podCIDRs: { readonly ipv4: string; readonly ipv6: string };
  readonly router: { readonly ipv4: string; readonly ipv6: string };
  readonly hostPort: boolean;
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
  readonly flowRing: number;
  readonly eventRate: number;
  readonly aggregation: 'none' | 'low' | 'medium' | 'maximum';
  /** Policy options by Cilium's names, all present. */
  readonly policy: PolicySettings;
  /** Table capacities by Cilium's names, all present. */
  readonly maps: Readonly<Record<string, number>>;
}

/** Policy options by Cilium's names: the compiler's, and those that the dataplane reads. */
export type PolicySettings = Omit<PolicyOptions, 'cluster-name' | 'node-name'> & {
  readonly 'allow-icmp-frag-needed': boolean;
};

/** Thrown by `loadConfig`: the message is one problem a line. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'ERR_CONFIG';
  readonly problems: readonly ConfigProblem[];
  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(formatConfigProblem).join('\n'));
    this.problems = problems;
  }
}

/** `file:line:column: path: message`, as compilers write it. */
export function formatConfigProblem(problem: ConfigProblem): string {
  const place = problem.line === 0 ? problem.file : `${problem.file}:${problem.line}:${problem.column}`;
  return [place, problem.path, problem.message].filter((part) => part !== '').join(': ');
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
    throw new ConfigError([{ file, line: 0, column: 0, path: '', message: `cannot be read: ${code}` }]);
  }
}

/** As `loadConfig`, from text. */
export function parseConfig(text: string, file: string, overrides: Readonly<Record<string, unknown>> = {}): Config {
  const reader = new ConfigReader(text, file);
  const values = reader.read(overrides);
  if (reader.problems.length > 0) throw new ConfigError(reader.problems);
  const problems: ConfigProblem[] = [];
  const config = finish(values, (path, message) => problems.push({ file, ...reader.place(path), path, message }));
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

/** Derived defaults, and the rules that span several options. */
function finish(values: Values, problem: (path: string, message: string) => void): Config {
  const { 'monitor-aggregation': aggregation, uplink, ...rest } = values as Values & { uplink: Config['uplink'] };
  const raw = { ...rest, aggregation } as unknown as Config;
  const router = { ipv4: routerAddress(raw, 'ipv4', problem), ipv6: routerAddress(raw, 'ipv6', problem) };
  if (raw.podCIDRs.ipv4 === '' && raw.podCIDRs.ipv6 === '')
    problem('podCIDRs', 'at least one family must have a range');
  const events = raw.maps['bpf-events-map-max'] ?? 0;
  if ((events & (events - 1)) !== 0) problem('maps.bpf-events-map-max', `wanted a power of two, found ${events}`);
  if ((raw.flowRing & (raw.flowRing + 1)) !== 0) problem('flowRing', `wanted 2^n - 1, found ${raw.flowRing}`);
  if (uplink?.interface === '' && (uplink.gateway4 !== '' || uplink.gateway6 !== '')) {
    problem('uplink', 'a gateway needs an interface: set uplink.interface');
  }
  return {
    ...raw,
    router,
    runDir: raw.runDir === '' ? `/run/${raw.name}` : raw.runDir,
    nodeName: raw.nodeName === '' ? hostname() : raw.nodeName,
    ...(uplink !== undefined && uplink.interface !== '' ? { uplink } : {}),
  };
}

function routerAddress(
  config: Config,
  family: 'ipv4' | 'ipv6',
  problem: (path: string, message: string) => void,
): string {
  const range = config.podCIDRs[family];
  const given = config.router[family];
  if (range === '') return given;
  const cidr = parseCidr(range);
  if (given === '') return addressFrom(cidr.family, cidr.first + 1n).text;
  const address = parseAddress(given);
  if (!contains(cidr, address)) problem(`router.${family}`, `wanted an address inside ${cidr.text}, found "${given}"`);
  return address.text;
}
