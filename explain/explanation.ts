/**
 * Why a flow is allowed or denied: what each end's policy says, entry by entry, and what would change it. One shape for all who ask: it is what
 * `sluice policy explain -o json` prints, and what the page shows.
 */
import { EGRESS, INGRESS } from '../wire/direction.ts';
import type { Flow } from '../hubble/flow.ts';
import type { Origin } from '../policy/rule/rule.ts';
import { type PrintedEntry, printedEntry } from '../policy-maps/printed-entry.ts';
import { type Candidate, candidatesOf } from './candidates.ts';
import { changesSince } from './flows/since.ts';
import { type PatchedPolicy, patchOf, patchText } from './patch.ts';
import type { FlowQuery } from './query.ts';
import { changeText, remediesFor } from './remedy.ts';
import type { Answer, FlowJudge, Outcome, ResolvedEnd } from './verdict.ts';

/** What one end's policy says. */
export interface Side {
  readonly direction: 'egress' | 'ingress';
  readonly subject: ResolvedEnd;
  readonly remote: ResolvedEnd;
  readonly outcome: Outcome;
  readonly candidates: readonly Candidate[];
  /** The rules that decided. */
  readonly origins: readonly Origin[];
}

interface ExplainedEnd {
  readonly name: string;
  readonly identity: number;
}

/** As a document. */
export interface Explanation extends Answer {
  readonly explanation: readonly {
    readonly direction: Side['direction'];
    readonly subject: ExplainedEnd;
    readonly remote: ExplainedEnd;
    readonly candidates: readonly (Omit<Candidate, 'entry'> & { readonly entry: PrintedEntry })[];
    readonly decidedBy: readonly Origin[];
  }[];
  /** What was tried and helps, step by step; else why nothing does. */
  readonly remedies: readonly string[];
}

/** A policy that changes, and the difference as `diff -u` shows it. */
export type Patch = PatchedPolicy & { readonly diff: string };

export interface PatchedExplanation extends Explanation {
  /** The same as the remedies; none when it is allowed, or nothing helps. */
  readonly patch: readonly Patch[];
}

/** Of a flow that was recorded. */
export interface FlowExplanation extends PatchedExplanation {
  readonly flow: Flow;
  /** What is otherwise than when it was recorded, one sentence each. */
  readonly since: readonly string[];
}

/** Egress of the source, ingress of the destination; none for a pod that talks to itself. @throws UnknownEndError */
export function sidesOf(judge: FlowJudge, query: FlowQuery): Side[] {
  const [source, destination] = judge.ends(query);
  const port = judge.portOf(query, destination);
  const side = (direction: Side['direction'], subject: ResolvedEnd, remote: ResolvedEnd): Side => {
    const way = direction === 'egress' ? EGRESS : INGRESS;
    const outcome = judge.decide(subject, remote, { query, port, direction: way });
    const packet = { remote: remote.identity, direction: way, protocol: query.protocol, port } as const;
    const candidates = subject.endpoint === undefined ? [] : candidatesOf(judge.world, subject.endpoint, packet);
    const winner = candidates.find(({ isWinner }) => isWinner);
    const closing = subject.endpoint?.[direction].defaultDenyCookie ?? 0;
    return {
      direction,
      subject,
      remote,
      outcome,
      candidates,
      origins: winner?.origins ?? judge.world.origins(closing),
    };
  };
  if (judge.isLoopback(query)) return [];
  return [side('egress', source, destination), side('ingress', destination, source)];
}

/** What was tried and helps, step by step; else why nothing does. None for a flow that is not denied. */
export function remediesOf(judge: FlowJudge, query: FlowQuery, { verdict }: Answer): string[] {
  if (verdict !== 'denied') return [];
  const { changes, reason } = remediesFor(judge, query);
  return reason === undefined ? changes.map(changeText) : [`${reason}\n`];
}

/** @param answer to the query, no error */
export function explanationOf(judge: FlowJudge, query: FlowQuery, answer: Answer): Explanation {
  const sides = sidesOf(judge, query);
  return explanationDocument(answer, sides, remediesOf(judge, query, answer));
}

/** Of a flow that is denied, as a patch of the policies. */
export function patchesFor(judge: FlowJudge, query: FlowQuery, { verdict }: Answer): readonly Patch[] {
  if (verdict !== 'denied') return [];
  const { changes, reason } = remediesFor(judge, query);
  const { given, cluster } = judge.world;
  const patches = reason === undefined ? patchOf(given, changes, cluster.options) : [];
  return patches.map((patch) => ({ ...patch, diff: patchText(patch) }));
}

/** What is otherwise than when the flow was recorded. */
export function sinceOf(judge: FlowJudge, query: FlowQuery, flow: Flow, answer: Answer): string[] {
  return answer.verdict === 'error' ? [] : changesSince(flow, answer, judge.ends(query));
}

export function explanationDocument(answer: Answer, sides: readonly Side[], remedies: readonly string[]): Explanation {
  return {
    ...answer,
    explanation: sides.map(({ direction, subject, remote, candidates, origins }) => ({
      direction,
      subject: { name: subject.text, identity: subject.identity },
      remote: { name: remote.text, identity: remote.identity },
      candidates: candidates.map((one) => ({ ...one, entry: printedEntry(one.entry) })),
      decidedBy: origins,
    })),
    remedies,
  };
}
