/**
 * What policies decided in the flows that are kept: how often each let something through or denied it, and of one policy the situations that it
 * decided on. A situation is two ends, a port and a direction; its newest flow stands for it.
 */
import type { Endpoint, Flow } from '../../hubble/flow.ts';
import { rfc3339 } from '../../hubble/time.ts';
import { policyKey } from '../controls/policy-key.ts';
import { portOf } from './edge-detail.ts';

const MAX_POLICIES = 4000;
const MAX_SITUATIONS = 24;
const WAYS = ['ingress', 'egress'] as const;
const WORDS = ['allowed', 'denied'] as const;

export type Word = (typeof WORDS)[number];

export interface Decided {
  allowed: number;
  denied: number;
  /** It would have denied them, were it not on trial. */
  audited: number;
  /** Of the newest flow. */
  lastTime: string;
}

export interface Situation {
  readonly key: string;
  readonly word: Word | 'audited';
  readonly flow: Flow;
  count: number;
}

export interface Decisions {
  /** By the policy's key, in the time that was asked for. */
  readonly recent: ReadonlyMap<string, Decided>;
  /** In all flows that are kept. */
  readonly ever: ReadonlyMap<string, Decided>;
  /** Of the policy that was asked for, those of the newest flows, at most 24. */
  readonly situations: readonly Situation[];
  /** Of the oldest flow that is kept; '' when there is none. */
  readonly since: string;
}

/**
 * @param flows in the order of their time
 * @param policy the key of the one whose situations are wanted; '' for none
 */
export function decisionsOf(flows: readonly Flow[], recentMs: number, policy: string): Decisions {
  const begin = rfc3339(recentMs).slice(0, 19);
  const recent = new Map<string, Decided>();
  const ever = new Map<string, Decided>();
  const situations = new Map<string, Situation>();
  for (let at = flows.length - 1; at >= 0; at--) {
    const flow = flows[at];
    const isRecent = flow.time.slice(0, 19) >= begin;
    for (const way of WAYS) {
      for (const word of WORDS) {
        const deciders = flow[`${way}_${word}_by`];
        if (deciders === undefined) continue;
        const shown = word === 'denied' && flow.verdict === 'AUDIT' ? 'audited' : word;
        for (const decider of deciders) {
          const key = policyKey(decider);
          count(ever, key, shown, flow);
          if (isRecent) count(recent, key, shown, flow);
          if (key === policy) noteSituation(situations, `${way} ${shown} ${endsOf(flow)}`, shown, flow);
        }
      }
    }
  }
  return { recent, ever, situations: [...situations.values()], since: flows.length === 0 ? '' : flows[0].time };
}

function count(counts: Map<string, Decided>, key: string, word: Situation['word'], { time }: Flow): void {
  let decided = counts.get(key);
  if (decided === undefined) {
    if (counts.size >= MAX_POLICIES) return;
    decided = { allowed: 0, denied: 0, audited: 0, lastTime: time };
    counts.set(key, decided);
  }
  decided[word]++;
}

function noteSituation(situations: Map<string, Situation>, key: string, word: Situation['word'], flow: Flow): void {
  const known = situations.get(key);
  if (known !== undefined) known.count++;
  else if (situations.size < MAX_SITUATIONS) situations.set(key, { key, word, flow, count: 1 });
}

/** Who talked to whom on what. A reply stands for what it answers to. */
function endsOf(flow: Flow): string {
  const { source, destination, IP, is_reply: isReply = false } = flow;
  const [from, to] = [endOf(source, IP?.source), endOf(destination, IP?.destination)];
  const ends = isReply ? `${to} ${from}` : `${from} ${to}`;
  return `${ends} ${portOf(flow, isReply)} ${flow.l7?.http?.method ?? ''} ${flow.l7?.http?.url ?? flow.l7?.dns?.query ?? ''}`;
}

function endOf({ namespace = '', pod_name: pod, identity = 0 }: Endpoint, ip = ''): string {
  return pod === undefined ? `${identity} ${ip}` : `${namespace}/${pod}`;
}
