/** Rules over the stream of flows: what each is handed, what it tells, and its limits. */
import type { Flow } from '../flow.ts';

export const RULES = [
  'port-scan',
  'sweep',
  'new-pair',
  'new-external',
  'dns-random-names',
  'dns-many-names',
  'drop-surge',
  'unanswered-syns',
] as const;
export type RuleName = (typeof RULES)[number];

/** Of `hubble.anomalies`. A threshold of 0 switches its rules off. */
export interface AnomalyLimits {
  readonly 'window-seconds': number;
  /** Ports of one address that one source tries. */
  readonly 'port-scan-ports': number;
  /** Addresses that one source tries at one port. */
  readonly 'sweep-addresses': number;
  /** Who talks to whom is learnt for so long before anybody is new. */
  readonly 'learning-minutes': number;
  /** Names with a long random label that one source asks of one domain. */
  readonly 'dns-random-names': number;
  /** Names that one source asks of one domain. */
  readonly 'dns-many-names': number;
  /** Times the moving average, of drops of one reason in ten seconds. */
  readonly 'drop-surge-factor': number;
  /** Fewer packets in ten seconds are no surge. */
  readonly 'drop-surge-packets': number;
  /** Connection attempts to one address and port without answer. */
  readonly 'unanswered-syns': number;
  /** The same about the same is told again after so long. */
  readonly 'repeat-minutes': number;
  /** Anomalies of one rule that are told in a minute. */
  readonly 'per-minute': number;
}

export interface Finding {
  readonly rule: RuleName;
  /** What it is about: the same subject is told once in a while. */
  readonly subject: string;
  /** One sentence, without what would end a line; names in it are foreign text. */
  readonly text: string;
  /** What brought it to light. */
  readonly flow: Flow;
}

export type Tell = (finding: Finding) => void;

/** What rules are made with. */
export interface Making {
  readonly limits: AnomalyLimits;
  readonly tell: Tell;
  /** Secret of seededHash. */
  readonly seed: number;
  /** When learning begins, in milliseconds since the epoch. */
  readonly startedMs: number;
  /** Without a final dot, in lower case. */
  readonly clusterDomain: string;
}

export interface Rule {
  readonly names: readonly RuleName[];
  /** @param timeMs of the flow, milliseconds since the epoch */
  take(flow: Flow, timeMs: number): void;
  /** All flows until then were taken; of rules that conclude from what does not come. @param timeMs as in `take` */
  tick?(timeMs: number): void;
  /** Flows are missing before the next one. */
  gap?(): void;
  /** Subjects that were forgotten for want of room. */
  readonly forgotten: number;
}
