/**
 * What the agent has made on this machine: the memory by which it adopts or removes everything after a kill -9.
 *
 * Rule: a thing is entered before it is made and struck out after it is gone, each with a write to disk, so the journal
 * names at least all there is. Only what the journal names is ever removed: interfaces and namespaces of others are
 * left alone, whatever they are called.
 */
import { join } from 'node:path';
import type { Attachment } from './attachment.ts';
import { StateFile } from './state-file.ts';

/** The host port as it was made. */
export interface HostPortRecord {
  readonly state: 'making' | 'made';
  readonly spec: string;
  readonly ifindex: number;
}

interface Entries {
  instance: string;
  attachments: Record<string, Attachment>;
  /** Namespaces made by the agent. */
  namespaces: string[];
  hostPort: HostPortRecord | null;
  hasFirewall: boolean;
}

/** A journal as it stands, for those who only look: the command line, when the agent is dead. */
export type JournalView = Pick<
  Journal,
  'instance' | 'attachments' | 'namespaces' | 'hostPort' | 'hasFirewall' | 'attachment'
>;

const LAYOUT = 1;

/** Where the journal of an instance lies. */
export function journalPath(runDir: string): string {
  return join(runDir, 'state/made.json');
}

/**
 * Reads the journal of an instance, and leaves it as it is; undefined when there is none.
 * @throws StateError when it cannot be read or understood
 */
export function readJournal(runDir: string): JournalView | undefined {
  const file = new StateFile<Entries>(journalPath(runDir), LAYOUT);
  const entries = file.read();
  return entries === undefined ? undefined : new Journal(file, entries);
}

/** Opens the journal of an instance to write on; one that is of no use is put aside, which `problem` tells. */
export function openJournal(runDir: string, instance: string): Journal {
  const file = new StateFile<Entries>(journalPath(runDir), LAYOUT);
  return new Journal(
    file,
    file.load({ instance, attachments: {}, namespaces: [], hostPort: null, hasFirewall: false }),
  );
}

/** The journal of one instance. */
export class Journal {
  readonly #file: StateFile<Entries>;
  readonly #entries: Entries;

  constructor(file: StateFile<Entries>, entries: Entries) {
    this.#file = file;
    this.#entries = entries;
  }

  /** Why the journal found at start was put aside, when it was. */
  get problem(): string | undefined {
    return this.#file.problem;
  }

  /** Name of the instance, after which interfaces and table are named. */
  get instance(): string {
    return this.#entries.instance;
  }

  get attachments(): readonly Attachment[] {
    return Object.values(this.#entries.attachments);
  }

  get namespaces(): readonly string[] {
    return this.#entries.namespaces;
  }

  get hostPort(): HostPortRecord | null {
    return this.#entries.hostPort;
  }

  get hasFirewall(): boolean {
    return this.#entries.hasFirewall;
  }

  attachment(owner: string): Attachment | undefined {
    return this.#entries.attachments[owner];
  }

  /** @param madeNamespace the namespace that is going to be made for it, when one is */
  enterAttachment(attachment: Attachment, madeNamespace?: string): void {
    const { attachments, namespaces } = this.#entries;
    attachments[attachment.owner] = attachment;
    if (madeNamespace !== undefined && !namespaces.includes(madeNamespace)) namespaces.push(madeNamespace);
    this.#save();
  }

  /** Call before attachments are taken apart: an agent that finds one half way must not take it over. */
  markUnmade(owners: readonly string[]): void {
    const { attachments } = this.#entries;
    const whole = owners.map((owner) => attachments[owner]).filter((one) => one?.state === 'made');
    if (whole.length === 0) return;
    for (const one of whole) attachments[one.owner] = { ...one, state: 'making' };
    this.#save();
  }

  /** Strikes out attachments and the namespaces that were made for them. */
  strikeAttachments(owners: readonly string[]): void {
    const gone = new Set(owners.map((owner) => this.#entries.attachments[owner]?.netns));
    for (const owner of owners) delete this.#entries.attachments[owner];
    this.#entries.namespaces = this.#entries.namespaces.filter((name) => !gone.has(name));
    this.#save();
  }

  setHostPort(record: HostPortRecord | null): void {
    this.#entries.hostPort = record;
    this.#save();
  }

  setFirewall(isThere: boolean): void {
    if (this.#entries.hasFirewall === isThere) return;
    this.#entries.hasFirewall = isThere;
    this.#save();
  }

  /** Removes the journal, once everything in it is gone. */
  remove(): void {
    this.#file.remove();
  }

  #save(): void {
    this.#file.save(this.#entries);
  }
}
