/**
 * The life of one world, watched by the oracle: it is built, changed and torn down one step at a time, and after each
 * step packets are judged by both sides. What disagrees is cut down to the smallest world that still disagrees.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Oracle } from '../oracle.ts';
import { type Change, keyOf, WorldMaker } from '../oracle-worlds.ts';
import { Compiled } from './compiled.ts';
import { compare, type Disagreement, differs, type Tally } from './difference.ts';
import { shrink } from './shrink.ts';

export interface Run {
  readonly steps: number;
  /** Packets after the world is built, and after each step. */
  readonly packets: { readonly built: number; readonly step: number };
}

export class WorldRun {
  readonly #maker: WorldMaker;
  readonly #seed: number;
  readonly #tally: Tally;
  readonly #folder = mkdtempSync(join(tmpdir(), 'oracle-'));
  readonly #history: Change[] = [];

  constructor(seed: number, tally: Tally) {
    this.#seed = seed;
    this.#tally = tally;
    this.#maker = new WorldMaker(seed);
  }

  /** @returns what they disagree about first; undefined = nothing */
  run({ steps, packets }: Run): Disagreement | undefined {
    try {
      return this.#live(steps, packets);
    } finally {
      rmSync(this.#folder, { recursive: true, force: true });
    }
  }

  #live(steps: number, packets: Run['packets']): Disagreement | undefined {
    const maker = this.#maker;
    const compiled = this.#build(maker.construction());
    let found = this.#compare(compiled, packets.built, 'built');
    for (let i = 0; i < steps && found === undefined; i++) {
      const change = maker.change();
      this.#history.push(change);
      compiled.apply(change);
      compiled.flush();
      found = this.#compare(compiled, packets.step, `step ${i}: ${change.text}`);
    }
    found ??= this.#compareFresh(packets.step);
    return found ?? this.#demolish(compiled, packets.step);
  }

  #build(construction: readonly Change[]): Compiled {
    const compiled = new Compiled(this.#maker.options, mkdtempSync(join(this.#folder, 'world-')));
    for (const change of construction) {
      this.#history.push(change);
      compiled.apply(change);
      if (this.#maker.dice.chance(20)) compiled.flush();
    }
    compiled.flush();
    return compiled;
  }

  /** The same world, made in another order. */
  #compareFresh(packets: number): Disagreement | undefined {
    const lived = this.#history.splice(0);
    const compiled = this.#build(this.#maker.construction());
    const found = this.#compare(compiled, packets, 'afresh');
    this.#history.splice(0, Infinity, ...lived);
    compiled.end();
    return found;
  }

  #demolish(compiled: Compiled, packets: number): Disagreement | undefined {
    for (const change of this.#maker.demolition()) {
      this.#history.push(change);
      compiled.apply(change);
      compiled.flush();
      const found = this.#compare(compiled, Math.ceil(packets / 5), change.text);
      if (found !== undefined) return found;
    }
    const leftovers = compiled.leftovers();
    if (Object.keys(leftovers).length > 0)
      throw new Error(`world ${this.#seed}: left over: ${JSON.stringify(leftovers)}`);
    compiled.end();
    return undefined;
  }

  #compare(compiled: Compiled, packets: number, step: string): Disagreement | undefined {
    const oracle = new Oracle(this.#maker.world());
    for (let i = 0; i < packets; i++) {
      const packet = this.#maker.packet();
      const found = compare(oracle, compiled, packet, this.#tally);
      if (found !== undefined) {
        return { seed: this.#seed, step, options: this.#maker.options, history: [...this.#history], packet, ...found };
      }
    }
    return undefined;
  }
}

// --- telling

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
