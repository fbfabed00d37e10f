/** `sluice policy generate`: policies that allow what was recorded. */
import { EGRESS, INGRESS } from '../../wire/direction.ts';
import { type Generated, type GenerateOptions, generate } from '../../explain/generate/generate.ts';
import type { Outside } from '../../explain/generate/needs.ts';
import type { PolicyKind } from '../../explain/generate/policy.ts';
import type { L7Mode } from '../../explain/generate/requests.ts';
import type { PortMode } from '../../explain/generate/rules.ts';
import type { Recording } from '../../explain/flows/recording.ts';
import { formatProblem } from '../../policy/rule/problems.ts';
import { counted } from '../terminal/counted.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import { printDocument } from '../terminal/output.ts';
import type { Settings } from '../terminal/settings.ts';
import { flowConfig, readRecording, readValid } from './flow-source.ts';
import { portText, requestText } from './replay.ts';

export interface GenerateFlags {
  /** A path or `-`; absent or true: what the agent holds. */
  readonly fromFlows?: string | true;
  readonly since?: string;
  readonly until?: string;
  readonly kind?: PolicyKind;
  readonly namespace?: readonly string[];
  readonly direction?: 'ingress' | 'egress';
  readonly byWorkload?: boolean;
  readonly ports?: PortMode;
  readonly l7?: L7Mode;
  readonly outside?: Outside;
  readonly includeDenied?: boolean;
  /** Namespaces, nodes and what else is known of the world. */
  readonly manifests?: readonly string[];
  readonly config?: string;
  readonly semantics?: 'cilium' | 'kubernetes';
}

/** Connections that are named when a policy cannot allow them. */
const MOST_NAMED = 10;

/** Prints the policies; what was left out and the proof go to standard error. @throws Failure when no policy comes of the flows */
export async function generatePolicies(settings: Settings, flags: GenerateFlags): Promise<void> {
  const { fromFlows, since, until } = flags;
  const path = typeof fromFlows === 'string' ? fromFlows : undefined;
  const moments = { ...(since !== undefined && { since }), ...(until !== undefined && { until }) };
  const recording = await readRecording(settings, { path, ...moments });
  const config = flowConfig(recording, flags);
  const documents = await readValid(settings, flags.manifests ?? [], config);
  const made = generate(recording, optionsOf(flags), config, documents);
  if (made.policies.length === 0) {
    const why = leftText(recording, made) || 'no pod of this machine is among them';
    throw new Failure(`generate policies: found nothing to make them of, wanted connections of pods: ${why}`);
  }
  await print(settings, made);
  tell(settings, recording, made);
}

function optionsOf(flags: GenerateFlags): GenerateOptions {
  const { direction } = flags;
  return {
    kind: flags.kind ?? 'CiliumNetworkPolicy',
    byWorkload: flags.byWorkload === true,
    ports: flags.ports ?? 'exact',
    l7: flags.l7 ?? 'exact',
    outside: flags.outside ?? 'names',
    includeDenied: flags.includeDenied === true,
    namespaces: flags.namespace ?? [],
    directions: direction === undefined ? [INGRESS, EGRESS] : [direction === 'egress' ? EGRESS : INGRESS],
  };
}

async function print(settings: Settings, made: Generated): Promise<void> {
  if (settings.output === 'table' || settings.output === 'yaml') {
    settings.host.stdout.write(made.text);
    return;
  }
  const items = made.policies.map(({ object }) => object);
  await printDocument(settings, { apiVersion: 'v1', kind: 'List', items });
}

/** What was made, and whether it does what it should: that is the exit code. */
function tell({ host }: Settings, recording: Recording, made: Generated): void {
  const rules = made.policies.reduce((sum, policy) => sum + policy.rules, 0);
  const { length } = made.policies;
  const lines = [`${length} ${length === 1 ? 'policy' : 'policies'}, ${counted(rules, 'rule')}`];
  const judged = `${counted(made.flows, 'flow')} of ${counted(made.connections, 'connection')}`;
  const missed = made.denied.reduce((sum, { flows }) => sum + flows, 0);
  lines.push(`judged again: ${judged}, ${missed} denied`);
  const left = leftText(recording, made);
  if (left !== '') lines.push(`left out: ${left}`);
  for (const problem of made.problems) lines.push(formatProblem(problem));
  for (const one of made.denied.slice(0, MOST_NAMED)) {
    const what = `${one.from.text} to ${one.to.text} ${portText(one)} ${requestText(one)}`.trim();
    lines.push(`error: not allowed: ${what}`);
  }
  if (made.denied.length > MOST_NAMED) lines.push(`error: and ${made.denied.length - MOST_NAMED} more`);
  host.stderr.write(`${lines.join('\n')}\n`);
  const isWrong = made.denied.length > 0 || made.problems.some(({ severity }) => severity === 'error');
  if (isWrong) host.exitCode = EXIT.FAILED;
}

function leftText(recording: Recording, made: Generated): string {
  return [...recording.silent, ...made.left].map(([reason, count]) => `${count} ${reason}`).join(', ');
}
