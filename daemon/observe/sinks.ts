/** Where flows go: every sink of the observatory is added here, one line each (hubble/sink.ts has the rules for them). */
import type { Directory } from '../../hubble/decode/directory.ts';
import type { Ring } from '../../hubble/ring.ts';
import type { Sinks } from '../../hubble/sink.ts';
import type { Config } from '../config/config.ts';

/** What sinks and handlers of the observatory may use. */
export interface Means {
  readonly config: Config;
  readonly ring: Ring;
  readonly directory: Directory;
  /** Takes in what the dataplane has told since the last look. */
  readonly look: () => void;
  /** A line in the agent's log. */
  readonly log: (level: 'info' | 'warn' | 'error', text: string, fields?: Readonly<Record<string, unknown>>) => void;
}

export function openSinks(sinks: Sinks, { ring }: Means): void {
  sinks.add('ring', ring);
}
