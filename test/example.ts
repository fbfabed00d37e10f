/**
 * Plays an example folder (examples/README.md has the grammar) against a running instance: steps in order, every probe
 * over IPv4 and IPv6 at once, each outcome compared with what expect.steps.yaml wants.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { waitFor } from './command.ts';
import { attempt, describeProbe, type Family, type Probe } from './probe.ts';
import type { SluiceInstance } from './rig.ts';

/** One line of expect.steps.yaml. */
export interface Step extends Probe {
  apply?: string;
  delete?: string;
  from?: string;
  to?: string;
  body?: string;
  flow?: WantedFlow;
}

interface WantedFlow {
  verdict: string;
  direction?: 'INGRESS' | 'EGRESS';
  policy?: string;
}

export interface Example {
  dir: string;
  manifests: string;
  steps: Step[];
  /** `namespace/pod`, or `service namespace/name` -> its addresses, IPv4 first. */
  addresses: Map<string, string[]>;
  /** Whether its pods reach each other by name. */
  usesNames: boolean;
}

const FAMILIES: readonly Family[] = [4, 6];

/** Reads an example folder. */
export function loadExample(dir: string): Example {
  const manifests = join(dir, 'manifests.yaml');
  const addresses = new Map<string, string[]>();
  for (const document of parseAllDocuments(readFileSync(manifests, 'utf8'))) {
    const object = document.toJS();
    if (object.kind !== 'Pod' && object.kind !== 'Service') continue;
    const { namespace, name } = object.metadata;
    if (object.kind === 'Service') {
      addresses.set(`service ${namespace}/${name}`, object.spec.clusterIPs);
      continue;
    }
    addresses.set(
      `${namespace}/${name}`,
      object.status.podIPs.map(({ ip }: { ip: string }) => ip),
    );
  }
  const { steps } = parse(readFileSync(join(dir, 'expect.steps.yaml'), 'utf8')) as { steps: Step[] };
  return { dir, manifests, steps, addresses, usesNames: steps.some(({ name }) => name !== undefined) };
}

/** A probe in one line, for people. */
export function describeStep(step: Step): string {
  if (step.apply !== undefined) return `apply ${step.apply}`;
  if (step.delete !== undefined) return `delete ${step.delete}`;
  return `${step.from} -> ${step.to}${step.name === undefined ? '' : ` as ${step.name}`}: ${describeProbe(step)}`;
}

/** Where a rig's host stands, and the address it has there. */
export interface HostPlace {
  netns: string;
  addresses: readonly string[];
}

/**
 * Plays one step.
 * @returns what was not as expected, one text each; empty when all was
 */
export async function playStep(
  step: Step,
  example: Example,
  instance: SluiceInstance,
  host: HostPlace,
): Promise<string[]> {
  if (step.apply !== undefined) await instance.apply(join(example.dir, step.apply));
  if (step.delete !== undefined) await instance.delete(join(example.dir, step.delete));
  if (step.from === undefined) return [];
  const found = await Promise.all(FAMILIES.map((family) => probe(step, family, example, instance, host)));
  return found.flat();
}

async function probe(step: Step, family: Family, example: Example, instance: SluiceInstance, host: HostPlace) {
  const from = step.from ?? '';
  const at = FAMILIES.indexOf(family);
  const addressOf = async (place: string) =>
    place === 'host'
      ? host.addresses[at]
      : (example.addresses.get(place)?.[at] ?? (await attached(instance, place, family)));
  const [source, target] = [await addressOf(from), await addressOf(step.to ?? '')];
  if (source === undefined || target === undefined) throw new Error(`${describeStep(step)}: unknown pod`);
  const netns = from === 'host' ? host.netns : instance.netnsOf(from);
  const known = new Set(step.flow ? (await instance.flows()).map(({ uuid }) => uuid) : []);
  const { outcome, text } = await attempt(step, family, netns, target);
  const problems = [];
  if (outcome !== String(step.expect)) {
    const passed = await evidence(instance, source, target);
    problems.push(`IPv${family}: wanted ${step.expect}, found ${outcome} ${text}\n${passed}`);
  }
  if (step.body !== undefined && !text.includes(step.body)) problems.push(`IPv${family}: no "${step.body}" in ${text}`);
  if (step.flow && !(await sawFlow(instance, step.flow, { source, target, known }))) {
    problems.push(`IPv${family}: no flow ${JSON.stringify(step.flow)}`);
  }
  return problems;
}

/** The address of a pod that is not in the manifests: of the name server that the agent runs. */
async function attached(instance: SluiceInstance, place: string, family: Family): Promise<string | undefined> {
  const endpoints = (await instance.read('/v1/endpoints')) as Record<string, string>[];
  return endpoints.find(({ namespace, pod }) => `${namespace}/${pod}` === place)?.[`ipv${family}`];
}

/** What the dataplane saw between the two, and what it dropped of anybody's: where an answer that did not come was lost. */
async function evidence(instance: SluiceInstance, source: string, target: string): Promise<string> {
  const both = ['--from-ip', source, '--to-ip', target];
  const back = ['--from-ip', target, '--to-ip', source];
  const said = [
    await instance.cli('observe', '--last', '20', ...both),
    await instance.cli('observe', '--last', '20', ...back),
    await instance.cli('bpf', 'metrics', 'list'),
  ];
  return said.map(({ stdout, stderr }) => stdout + stderr).join('');
}

/** Waits until a flow between the two addresses, none of those `known` before, is as wanted. */
async function sawFlow(
  instance: SluiceInstance,
  wanted: WantedFlow,
  between: { source: string; target: string; known: ReadonlySet<string> },
): Promise<boolean> {
  const matches = (flow: any) =>
    flow.IP?.source === between.source &&
    flow.IP?.destination === between.target &&
    !between.known.has(flow.uuid) &&
    flow.verdict === wanted.verdict &&
    (wanted.direction === undefined || flow.traffic_direction === wanted.direction) &&
    (wanted.policy === undefined || policiesOf(flow).includes(wanted.policy));
  const seen = async () => (await instance.flows()).some(matches);
  return waitFor('the flow', seen).then(
    () => true,
    () => false,
  );
}

/** Names of all policies that a flow says decided it. */
function policiesOf(flow: any): string[] {
  const lists = ['ingress_allowed_by', 'ingress_denied_by', 'egress_allowed_by', 'egress_denied_by'];
  return lists.flatMap((list) => flow[list] ?? []).map(({ name }: { name: string }) => name);
}
