/**
 * The life of one world, watched by the oracle: it is built, changed and torn down one step at a time, and after each
 * step packets are judged by both sides. What disagrees is cut down to the smallest world that still disagrees.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Direction, Oracle, type Packet, type Side } from '../oracle.ts';
import { type Change, keyOf, WorldMaker } from '../oracle-worlds.ts';
import { Compiled } from './compiled.ts';
import type { Document, Options, World } from './parties.ts';
import { shrink } from './shrink.ts';
import { NEWCOMER } from './traffic.ts';

export interface Run {
  readonly steps: number;
  /** Packets after the world is built, and after each step. */
  readonly packets: { readonly built: number; readonly step: number };
}

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

export class WorldRun {
  private readonly maker: WorldMaker;
  private readonly seed: number;
  private readonly tally: Tally;
  private readonly folder = mkdtempSync(join(tmpdir(), 'oracle-'));
  private readonly history: Change[] = [];

  constructor(seed: number, tally: Tally) {
    this.seed = seed;
    this.tally = tally;
    this.maker = new WorldMaker(seed);
  }

  /** @returns what they disagree about first; undefined = nothing */
  run({ steps, packets }: Run): Disagreement | undefined {
    try {
      return this.live(steps, packets);
    } finally {
      rmSync(this.folder, { recursive: true, force: true });
    }
  }

  private live(steps: number, packets: Run['packets']): Disagreement | undefined {
    const { maker } = this;
    const compiled = this.build(maker.construction());
    let found = this.compare(compiled, packets.built, 'built');
    for (let i = 0; i < steps && found === undefined; i++) {
      const change = maker.change();
      this.history.push(change);
      compiled.apply(change);
      compiled.flush();
      found = this.compare(compiled, packets.step, `step ${i}: ${change.text}`);
    }
    found ??= this.compareFresh(packets.step);
    return found ?? this.demolish(compiled, packets.step);
  }

  private build(construction: readonly Change[]): Compiled {
    const compiled = new Compiled(this.maker.options, mkdtempSync(join(this.folder, 'world-')));
    for (const change of construction) {
      this.history.push(change);
      compiled.apply(change);
      if (this.maker.dice.chance(20)) compiled.flush();
    }
    compiled.flush();
    return compiled;
  }

  /** The same world, made in another order. */
  private compareFresh(packets: number): Disagreement | undefined {
    const lived = this.history.splice(0);
    const compiled = this.build(this.maker.construction());
    const found = this.compare(compiled, packets, 'afresh');
    this.history.splice(0, Infinity, ...lived);
    compiled.end();
    return found;
  }

  private demolish(compiled: Compiled, packets: number): Disagreement | undefined {
    for (const change of this.maker.demolition()) {
      this.history.push(change);
      compiled.apply(change);
      compiled.flush();
      const found = this.compare(compiled, Math.ceil(packets / 5), change.text);
      if (found !== undefined) return found;
    }
    const leftovers = compiled.leftovers();
    if (Object.keys(leftovers).length > 0)
      throw new Error(`world ${this.seed}: left over: ${JSON.stringify(leftovers)}`);
    compiled.end();
    return undefined;
  }

  private compare(compiled: Compiled, packets: number, step: string): Disagreement | undefined {
    const oracle = new Oracle(this.maker.world());
    for (let i = 0; i < packets; i++) {
      const packet = this.maker.packet();
      const found = compare(oracle, compiled, packet, this.tally);
      if (found !== undefined) {
        return { seed: this.seed, step, options: this.maker.options, history: [...this.history], packet, ...found };
      }
    }
    return undefined;
  }
}

type Difference = Pick<Disagreement, 'direction' | 'withTrial' | 'expected' | 'got'>;

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

// --- telling

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

/** The smallest history that shows the difference, as a text for people. */
export function explain(found: Disagreement): string {
  const history = shrink(found);
  const { expected = found.expected, got = found.got, direction = found.direction } = differs(found, history) ?? {};
  const { packet, options } = found;
  const defaults = Object.entries(options).map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
  return [
    `seed ${found.seed}, ${found.step}`,
    `options: ${defaults.join(', ')}`,
    ...history.map(({ set, removed, names, apiServers, newcomer }) =>
      [
        ...set.map((one) => `  set ${JSON.stringify(one)}`),
        ...removed.map((one) => `  remove ${keyOf(one)}`),
        ...(names === undefined ? [] : [`  names ${JSON.stringify(names)}`]),
        ...(apiServers === undefined ? [] : [`  API servers ${apiServers.join()}`]),
        ...(newcomer === undefined ? [] : [`  newcomer ${newcomer}`]),
      ].join('\n'),
    ),
    `packet: ${packet.from} -> ${packet.to} protocol ${packet.protocol} port ${packet.port}; ${direction}${found.withTrial ? ' with trial' : ''}`,
    `expected: ${JSON.stringify(expected)}${expected.parser === undefined ? '' : ` for ${JSON.stringify(packet.requests)}`}`,
    `got:      ${JSON.stringify(got)}`,
  ].join('\n');
}
