/** Services that the command line makes: `sluice expose` and `sluice create service`, as kubectl's. */
import { DaemonApi } from '../../api/daemon-api.ts';
import type { Manifest } from '../../policy/document/manifest.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import type { DryRun, Settings } from '../terminal/settings.ts';
import { checkHere, reportChange } from './change.ts';
import { namedObjects, notFound } from './kinds.ts';
import { rowsOf } from './object-rows.ts';

export interface ExposeFlags {
  readonly namespace: string;
  readonly port?: number;
  readonly targetPort?: string;
  readonly protocol: string;
  readonly serviceName?: string;
  readonly type: string;
  readonly clusterIp?: string;
  readonly externalIp?: string;
  readonly selector?: string;
  readonly dryRun?: DryRun;
}

type Labels = Readonly<Record<string, string>>;

interface PodSpec {
  readonly containers?: readonly {
    readonly ports?: readonly { readonly containerPort?: number; readonly protocol?: string }[];
  }[];
}

/** `sluice expose`. @throws Failure when there is no such object, or nothing says which port */
export async function expose(settings: Settings, words: readonly string[], flags: ExposeFlags): Promise<void> {
  const api = new DaemonApi(settings);
  const named = namedObjects(words);
  const [{ kinds, names }] = named;
  if (named.length !== 1 || kinds.length !== 1 || names.length !== 1)
    throw new Failure(`expose ${words.join(' ')}: wanted one object, as in pod/web or deployment web`, EXIT.USAGE);
  const [kind] = kinds;
  const rows = await rowsOf(api, kind, { namespace: flags.namespace, appliedOnly: false });
  const object = rows.find((row) => row.object.metadata?.name === names[0])?.object;
  if (object === undefined) throw new Failure(notFound(kind, names[0]));
  const selector = flags.selector === undefined ? selectorOf(object) : labelsIn(flags.selector);
  if (Object.keys(selector).length === 0)
    throw new Failure(
      `expose ${kind.singular}/${names[0]}: found no labels that a Service could select, wanted --selector`,
    );
  const ports = flags.port === undefined ? declaredPorts(object, flags) : [portOf(flags.port, flags)];
  if (ports.length === 0)
    throw new Failure(`expose ${kind.singular}/${names[0]}: found no containerPort, wanted --port`, EXIT.USAGE);
  const { namespace, clusterIp, externalIp, serviceName: name = names[0], type } = flags;
  const spec = {
    type,
    selector,
    ports,
    ...(clusterIp !== undefined && { clusterIP: clusterIp }),
    ...(externalIp !== undefined && { externalIPs: externalIp.split(',') }),
  };
  await make(settings, service({ name, namespace, labels: object.metadata?.labels ?? {} }, spec), flags.dryRun);
}

export interface CreateServiceFlags {
  readonly namespace: string;
  readonly tcp?: readonly string[];
  readonly nodePort?: number;
  readonly clusterip?: string;
  readonly externalName?: string;
  readonly dryRun?: DryRun;
}

const TYPES: Readonly<Record<string, string>> = {
  clusterip: 'ClusterIP',
  nodeport: 'NodePort',
  loadbalancer: 'LoadBalancer',
  externalname: 'ExternalName',
};

/** `sluice create service TYPE NAME`. @throws Failure (usage) when it is written otherwise */
export async function createService(
  settings: Settings,
  words: readonly string[],
  flags: CreateServiceFlags,
): Promise<void> {
  const [word = '', name, ...rest] = words;
  const type = TYPES[word.toLowerCase()] as string | undefined;
  if (type === undefined || name === undefined || rest.length > 0) {
    throw new Failure(
      `create service ${words.join(' ')}: wanted create service ${Object.keys(TYPES).join('|')} NAME`,
      EXIT.USAGE,
    );
  }
  const { namespace, tcp = [], nodePort, clusterip, externalName } = flags;
  const ports = tcp.map((text) => tcpPort(text, nodePort));
  if (type !== 'ExternalName' && ports.length === 0 && clusterip !== 'None')
    throw new Failure(`create service ${word} ${name}: found no --tcp, wanted --tcp PORT:TARGETPORT`, EXIT.USAGE);
  const spec = {
    type,
    ...(type === 'ExternalName' ? { externalName } : { selector: { app: name } }),
    ...(ports.length > 0 && { ports }),
    ...(clusterip !== undefined && { clusterIP: clusterip }),
  };
  await make(settings, service({ name, namespace, labels: { app: name } }, spec), flags.dryRun);
}

function service(metadata: object, spec: object): Manifest {
  return { apiVersion: 'v1', kind: 'Service', metadata, spec } as Manifest;
}

async function make(settings: Settings, object: Manifest, dryRun: DryRun = 'none'): Promise<void> {
  const text = JSON.stringify(object);
  const options = { create: true, ...(dryRun === 'server' && ({ dryRun: true } as const)) } as const;
  const answer =
    dryRun === 'client'
      ? await checkHere(text, 'request', undefined)
      : await new DaemonApi(settings).apply(text, 'request', options);
  await reportChange(settings, answer, dryRun);
}

/** The labels that a workload selects its pods by, or those of a pod or Service. */
function selectorOf({ kind, metadata, spec = {} }: Manifest): Labels {
  if (kind === 'Pod') return metadata?.labels ?? {};
  if (kind === 'Service') return (spec['selector'] as Labels | undefined) ?? {};
  const selector = spec['selector'] as { matchLabels?: Labels } | undefined;
  const template = spec['template'] as { metadata?: { labels?: Labels } } | undefined;
  return selector?.matchLabels ?? template?.metadata?.labels ?? {};
}

function labelsIn(text: string): Labels {
  const pairs = text.split(',').map((pair) => pair.split('='));
  const odd = pairs.find((pair) => pair.length !== 2);
  if (odd !== undefined) throw new Failure(`--selector: found '${odd.join('=')}', wanted KEY=VALUE`, EXIT.USAGE);
  return Object.fromEntries(pairs as [string, string][]);
}

function declaredPorts({ kind, spec = {} }: Manifest, flags: ExposeFlags): object[] {
  const template = spec['template'] as { spec?: PodSpec } | undefined;
  const { containers = [] } = (kind === 'Pod' ? spec : template?.spec) as PodSpec;
  const ports = containers
    .flatMap(({ ports = [] }) => ports)
    .filter(({ containerPort }) => containerPort !== undefined);
  return ports.map(({ containerPort = 0, protocol }, i) => ({
    ...(ports.length > 1 && { name: `port-${i + 1}` }),
    ...portOf(containerPort, { ...flags, protocol: protocol ?? flags.protocol }),
  }));
}

function portOf(port: number, { targetPort, protocol }: Pick<ExposeFlags, 'targetPort' | 'protocol'>): object {
  return {
    port,
    protocol: protocol.toUpperCase(),
    ...(targetPort !== undefined && { targetPort: targetOf(targetPort) }),
  };
}

function targetOf(text: string): number | string {
  return /^\d+$/.test(text) ? Number(text) : text;
}

/** `80` or `80:8080`, as kubectl has it; of several ports each is named by its text. */
function tcpPort(text: string, nodePort: number | undefined): object {
  const [, port, target] = /^(\d{1,5})(?::([A-Za-z0-9-]+))?$/.exec(text) ?? [];
  if (port === undefined) throw new Failure(`--tcp: found '${text}', wanted PORT or PORT:TARGETPORT`, EXIT.USAGE);
  return {
    name: text.replace(':', '-').toLowerCase(),
    port: Number(port),
    protocol: 'TCP',
    targetPort: targetOf(target ?? port),
    ...(nodePort !== undefined && { nodePort }),
  };
}
