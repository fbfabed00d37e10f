/**
 * Labels of security identities for the tables of `sluice bpf`: from the daemon if it answers, else from the file in which it
 * keeps them, else nothing but the reserved ones.
 */
import { readFileSync } from 'node:fs';
import { DaemonApi } from '../../api/daemon-api.ts';
import { reservedName } from '../../wire/identities.ts';
import type { Settings } from '../terminal/settings.ts';

/** A daemon that is wedged must not keep a map from being read. */
export const MAP_READER_MS = 1000;

export class IdentityNames {
  readonly #labels: ReadonlyMap<number, readonly string[]>;

  constructor(labels: ReadonlyMap<number, readonly string[]>) {
    this.#labels = labels;
  }

  /** The labels of an identity; its number when they are not known. */
  labels(identity: number): readonly string[] {
    const known = this.#labels.get(identity);
    if (known !== undefined && known.length > 0) return known;
    if (identity === 0) return ['ANY'];
    const reserved = reservedName(identity);
    return [reserved === undefined ? String(identity) : `reserved:${reserved}`];
  }
}

/** Loads the names that can be had. Never throws. */
export async function loadIdentityNames(settings: Settings): Promise<IdentityNames> {
  const found = (await fromDaemon(settings)) ?? fromFile(settings) ?? [];
  return new IdentityNames(new Map(found.map(({ id, labels }) => [id, labels])));
}

interface Named {
  readonly id: number;
  readonly labels: readonly string[];
}

async function fromDaemon(settings: Settings): Promise<readonly Named[] | undefined> {
  try {
    const timeoutMs = Math.min(settings.timeoutMs, MAP_READER_MS);
    return await new DaemonApi({ ...settings, timeoutMs }).identities();
  } catch {
    return undefined;
  }
}

function fromFile(settings: Settings): readonly Named[] | undefined {
  try {
    const { value } = JSON.parse(readFileSync(`${settings.runDir}/state/identities.json`, 'utf8')) as {
      value: unknown;
    };
    return (Array.isArray(value) ? value : (value as { identities: unknown }).identities) as readonly Named[];
  } catch {
    return undefined;
  }
}
