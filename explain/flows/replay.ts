/** Recorded connections judged anew: which of them policies would treat otherwise than another world, or than they were treated. */
import type { Answer, FlowJudge } from '../verdict.ts';
import { policyName } from '../../policy/rule/rule.ts';
import { type Connection, hasPassed, queryOf, type Recording } from './recording.ts';

export type Outcome = 'allowed' | 'denied';

export interface Replayed {
  readonly connection: Connection;
  readonly before: Outcome;
  readonly after: Outcome;
  /** It would be dropped, and passes because of audit mode. */
  readonly isAudited: boolean;
  /** `Kind/namespace/name` of the policies that decide it from then on. */
  readonly policies: readonly string[];
}

export interface Replay {
  /** What is judged otherwise, in the order of the recording. */
  readonly changed: readonly Replayed[];
  /** Of all that was judged. */
  readonly connections: number;
  readonly flows: number;
  /** Flows by what becomes of them: `allowed allowed` and so on. */
  readonly counts: ReadonlyMap<string, number>;
  /** Flows of connections that cannot be judged, by the reason. */
  readonly unjudged: ReadonlyMap<string, number>;
}

/** @param before the world to compare with; absent: what was recorded */
export function replay(recording: Recording, after: FlowJudge, before?: FlowJudge): Replay {
  const changed: Replayed[] = [];
  const counts = new Map<string, number>();
  const unjudged = new Map<string, number>();
  let connections = 0;
  let flows = 0;
  for (const connection of recording.connections()) {
    const query = queryOf(connection);
    const answer = after.answer(query);
    const old = before?.answer(query).verdict ?? (hasPassed(connection) ? 'allowed' : 'denied');
    if (answer.verdict === 'error' || old === 'error') {
      const reason = answer.error ?? 'not known to the world compared with';
      unjudged.set(reason, (unjudged.get(reason) ?? 0) + connection.flows);
      continue;
    }
    connections++;
    flows += connection.flows;
    const key = `${old} ${answer.verdict}`;
    counts.set(key, (counts.get(key) ?? 0) + connection.flows);
    if (old === answer.verdict) continue;
    const isAudited = answer.egress?.audited === true || answer.ingress?.audited === true;
    const policies = policiesOf(after, connection, answer);
    changed.push({ connection, before: old, after: answer.verdict, isAudited, policies });
  }
  return { changed, connections, flows, counts, unjudged };
}

function policiesOf(judge: FlowJudge, connection: Connection, answer: Answer): string[] {
  if (answer.verdict === 'denied') {
    const origins = judge.denials(queryOf(connection)).flatMap((denial) => denial.origins);
    return [...new Set(origins.map(policyName))].sort();
  }
  return [...new Set([...(answer.egress?.policies ?? []), ...(answer.ingress?.policies ?? [])])].sort();
}
