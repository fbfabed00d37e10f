/**
 * The agent's journal, `<runDir>/state/made.json`, read only: what it has made on this machine. With it `exec`, `capture` and
 * `cleanup` find their way when the agent is dead.
 */
import { readFileSync } from 'node:fs';
import { Failure } from './terminal/failure.ts';

export interface JournalAttachment {
  /** `namespace/name` of the pod. */
  readonly owner: string;
  readonly mode: 'veth' | 'tap' | 'pcap' | 'existing';
  /** Name or path of the pod's network namespace. */
  readonly netns: string;
  /** `device:inode` of that namespace, which tells it from a later one of the same name. */
  readonly netnsIdentity: string;
  /** On the host; '' for a TAP, which lies in the pod's namespace as `eth0`. */
  readonly hostInterface: string;
  /** Of hostInterface; 0 for a TAP, and for what was only begun. */
  readonly ifindex: number;
  readonly addresses: readonly string[];
}

export interface JournalView {
  readonly attachments: readonly JournalAttachment[];
  readonly namespaces: readonly string[];
  /** Name of the instance. */
  readonly instance: string;
  readonly hasHostPort: boolean;
  readonly hasFirewall: boolean;
}

/** Layout of the file that this module reads. */
const JOURNAL_VERSION = 1;

/** Where the journal of an instance lies. */
export function journalPath(runDir: string): string {
  return `${runDir}/state/made.json`;
}

/**
 * Reads the journal; undefined when there is none.
 * @throws Failure when it cannot be understood
 */
export function readJournal(runDir: string): JournalView | undefined {
  const path = journalPath(runDir);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new Failure(`read ${path}: ${code}: run as root`);
  }
  const { version, value } = parse(path, text);
  if (version !== JOURNAL_VERSION) {
    throw new Failure(
      `read ${path}: found layout ${String(version)}, wanted ${JOURNAL_VERSION}: is sluice as new as sluiced?`,
    );
  }
  const entries = value as {
    instance: string;
    attachments: Record<string, JournalAttachment>;
    namespaces: string[];
    hostPort: object | null;
    hasFirewall: boolean;
  };
  return {
    attachments: Object.values(entries.attachments),
    namespaces: entries.namespaces,
    instance: entries.instance,
    hasHostPort: entries.hostPort !== null,
    hasFirewall: entries.hasFirewall,
  };
}

function parse(path: string, text: string): { version: unknown; value: unknown } {
  try {
    return JSON.parse(text) as { version: unknown; value: unknown };
  } catch {
    throw new Failure(`read ${path}: found no JSON: the file is damaged`);
  }
}
