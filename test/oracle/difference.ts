/** Where the oracle and the compiled maps differ about a packet, and whether a history of the world shows it. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Direction, Oracle, type Packet, type Side } from '../oracle.ts';
import { type Change, keyOf } from '../oracle-worlds.ts';
import { Compiled } from './compiled.ts';
import type { Document, Options, World } from './parties.ts';
import { NEWCOMER } from './traffic.ts';

export interface Tally {
  packets: number;
  sides: number;
  /** By `direction reason parser request`. */
  readonly outcomes: Map<string, number>;
}

/** A packet that the two judge differently, in a history of the world that shows it. */
export interface Disagreement {
  readonly seed: number;
  readonly step: string;
  readonly options: Options;
  readonly history: readonly Change[];
  readonly packet: Packet;
  readonly direction: Direction;
  readonly withTrial: boolean;
  readonly expected: Side;
  readonly got: Side;
}

export type Difference = Pick<Disagreement, 'direction' | 'withTrial' | 'expected' | 'got'>;

/** Both sides of a packet, as far as their pods run here; policies on trial counted and not. */
export function compare(oracle: Oracle, compiled: Compiled, packet: Packet, tally?: Tally): Difference | undefined {
  if (tally !== undefined) tally.packets++;
  for (const direction of ['egress', 'ingress'] as const) {
    const subject = direction === 'egress' ? packet.from : packet.to;
    if (!compiled.isLocal(subject)) continue;
    if (oracle.isAudited(subject) !== compiled.isAudited(subject))
      throw new Error(`${subject}: audited on one side only`);
    if (oracle.isOnTrial(subject) !== compiled.isOnTrial(subject))
      throw new Error(`${subject}: on trial on one side only`);
    for (const withTrial of oracle.isOnTrial(subject) ? [false, true] : [false]) {
      const expected = oracle.judge(packet, direction, withTrial);
      const got = compiled.judge(packet, direction, withTrial);
      // What is on trial has no say in whether the endpoint counts as enforced.
      if (withTrial) Object.assign(got, { enforced: expected.enforced });
      if (tally !== undefined) count(tally, direction, expected);
      if (JSON.stringify(expected) !== JSON.stringify(got)) return { direction, withTrial, expected, got };
    }
  }
  return undefined;
}

function count(tally: Tally, direction: Direction, { reason, parser, request, enforced }: Side): void {
  tally.sides++;
  const outcome =
    `${direction} ${enforced ? reason : 'open'} ${parser ?? ''} ${parser === undefined ? '' : request}`.trim();
  tally.outcomes.set(outcome, (tally.outcomes.get(outcome) ?? 0) + 1);
}

/** The world after a history. */
export function worldAfter(options: Options, history: readonly Change[]): World {
  const documents = new Map<string, Document>();
  const names: Record<string, readonly string[]> = {};
  let apiServers: readonly string[] = [];
  let newcomer: string | undefined;
  for (const change of history) {
    for (const document of change.set) documents.set(keyOf(document), document);
    for (const document of change.removed) documents.delete(keyOf(document));
    for (const [name, ips] of Object.entries(change.names ?? {})) names[name] = ips;
    apiServers = change.apiServers ?? apiServers;
    if (change.newcomer !== undefined) newcomer = change.newcomer ? NEWCOMER : undefined;
  }
  return { options, documents: [...documents.values()], names, apiServers, newcomer };
}

/** Whether a history still shows the difference; a history that cannot be is none. */
export function differs(found: Disagreement, history: readonly Change[]): Difference | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'oracle-shrink-'));
  const compiled = new Compiled(found.options, folder);
  try {
    for (const change of history) {
      compiled.apply(change);
      compiled.flush();
    }
    return compare(new Oracle(worldAfter(found.options, history)), compiled, found.packet);
  } catch {
    return undefined;
  } finally {
    compiled.end();
  }
}
