/**
 * Least-privilege policies out of recorded flows, and the proof that they are.
 *
 *   connections --> groups of pods --> needs of each --> elements --> policies --> judged again, by the compiler and the engine
 *
 * What comes out allows what was recorded, and besides only what its notes say. That it allows all that was recorded is tried before it
 * is handed out: every connection is judged in the world that the policies make. A request path that an HTTP rule cannot mean
 * exactly shows there (a server may take it for another path, so that the engine judges what it leads to); its method is then allowed with
 * every path, and that is told.
 */
import { type Document, readDocuments } from '../../policy/document/document.ts';
import type { Problem } from '../../policy/rule/problems.ts';
import { completeOptions, type PolicyConfig } from '../../policy/rule/options.ts';
import { flowWorld } from '../flows/flow-world.ts';
import { type Connection, hasPassed, queryOf, type Recording } from '../flows/recording.ts';
import { FlowJudge } from '../verdict.ts';
import { Groups, type PodParty } from './groups.ts';
import { NeedFinder, type NeedOptions } from './needs.ts';
import { type GeneratedPolicy, policyOf, type PolicyKind } from './policy.ts';
import { policyText } from './policy-text.ts';
import type { PortMode } from './rules.ts';

export interface GenerateOptions extends NeedOptions {
  readonly kind: PolicyKind;
  /** Pods are chosen by labels that name their workload, not by all that they have. */
  readonly byWorkload: boolean;
  readonly ports: PortMode;
}

export interface Generated {
  readonly policies: readonly GeneratedPolicy[];
  /** All of them, with what is to be said, as manifests. */
  readonly text: string;
  /** Flows that no rule was made of, by the reason. */
  readonly left: ReadonlyMap<string, number>;
  /** Recorded connections that the policies deny and should not. */
  readonly denied: readonly Connection[];
  /** Of the text; none is an error. */
  readonly problems: readonly Problem[];
  /** Connections and flows that were judged again. */
  readonly connections: number;
  readonly flows: number;
}

/** @param documents namespaces, nodes and what else is known of the world; no policies */
export function generate(
  recording: Recording,
  options: GenerateOptions,
  config: PolicyConfig = {},
  documents: readonly Document[] = [],
): Generated {
  const first = attempt(recording, options, { config, documents, unnamed: new Set() });
  const paths = first.denied.flatMap(({ request }) => request?.http?.path ?? []);
  return paths.length === 0 ? first : attempt(recording, options, { config, documents, unnamed: new Set(paths) });
}

interface Circumstances {
  readonly config: PolicyConfig;
  readonly documents: readonly Document[];
  readonly unnamed: ReadonlySet<string>;
}

function attempt(
  recording: Recording,
  options: GenerateOptions,
  { config, documents, unnamed }: Circumstances,
): Generated {
  const policy = completeOptions(config);
  const connections = recording.connections();
  const parties = new Map(connections.flatMap(({ from, to }) => [from, to].map((party) => [party.key, party])));
  const pods = [...parties.values()].filter((party): party is PodParty => party.kind === 'pod');
  const groups = new Groups(pods, policy, options);
  // A NetworkPolicy has no names.
  const outside = options.kind === 'NetworkPolicy' && options.outside === 'names' ? 'addresses' : options.outside;
  const { subjects, left } = new NeedFinder(groups, policy, { ...options, outside }).find(connections);
  const policies = subjects.map((subject) => policyOf(subject, options.kind, { ...options, unnamed }));
  const text = policies.map(policyText).join('---\n');
  const made = readDocuments(text, 'generated', config);
  const judge = new FlowJudge(flowWorld(recording, [...documents, ...made.documents], config));
  const wanted = connections.filter((one) => options.includeDenied || hasPassed(one));
  const denied = wanted.filter((one) => judge.answer(queryOf(one)).verdict === 'denied');
  const flows = wanted.reduce((sum, one) => sum + one.flows, 0);
  return { policies, text, left, denied, problems: made.problems, connections: wanted.length, flows };
}
