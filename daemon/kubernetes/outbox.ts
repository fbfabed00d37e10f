/**
 * What the agent has to be told, in the order in which it came up, an object once: of one that changes again before it was told only the last state goes.
 * One batch is under way at a time, so that a busy agent is told less often, not more at once.
 */
import { type Reference, referenceOf } from '../source/text.ts';
import type { Batch, PodRow, ReadObjectMessage } from './messages.ts';
import { type ShapedObject, ToldShapes } from './shapes.ts';

/** Objects in a batch: of pods, some 10 ms of the agent's time. */
const MAX_BATCH = 500;
/** Objects that may wait: while there are more, nothing further is read. */
const MAX_WAITING = 5000;
/** What comes within this goes together. */
const GATHER_MS = 5;

interface ShapedEntry extends ShapedObject {
  readonly atMs: number;
  readonly createdMs: number;
}

type Entry =
  | { readonly pod: ShapedEntry }
  | { readonly put: ReadObjectMessage }
  | { readonly removed: Reference }
  | { readonly refused: Reference }
  | { readonly whole: string };

export class Outbox {
  readonly #send: (batch: Batch) => void;
  readonly #entries = new Map<string, Entry>();
  readonly #shapes = new ToldShapes();
  #isUnderWay = false;
  #timer: NodeJS.Timeout | undefined;
  #room: { readonly promise: Promise<void>; readonly open: () => void } | undefined;

  constructor(send: (batch: Batch) => void) {
    this.#send = send;
  }

  /** What to wait for before more is added; undefined = nothing. */
  room(): Promise<void> | undefined {
    if (this.#entries.size <= MAX_WAITING) return undefined;
    if (this.#room === undefined) {
      let open = (): void => undefined;
      const promise = new Promise<void>((resolve) => (open = resolve));
      this.#room = { promise, open };
    }
    return this.#room.promise;
  }

  put(reference: Reference, object: ReadObjectMessage): void {
    this.#add(referenceOf(reference), { put: object });
  }

  /** A pod of another node. */
  pod(reference: Reference, pod: ShapedEntry): void {
    this.#add(referenceOf(reference), { pod });
  }

  removed(reference: Reference): void {
    this.#add(referenceOf(reference), { removed: reference });
  }

  refused(reference: Reference): void {
    this.#add(referenceOf(reference), { refused: reference });
  }

  /** Everything that is there of a kind stands before this. */
  whole(kind: string): void {
    this.#add(`whole ${kind}`, { whole: kind });
  }

  /** The batch under way has been taken. */
  taken(): void {
    this.#isUnderWay = false;
    if (this.#entries.size > 0) this.#flush();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #add(key: string, entry: Entry): void {
    this.#entries.set(key, entry);
    this.#timer ??= setTimeout(() => this.#flush(), GATHER_MS);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#isUnderWay) return;
    const taken: Entry[] = [];
    for (const [key, entry] of this.#entries) {
      this.#entries.delete(key);
      if (taken.push(entry) >= MAX_BATCH) break;
    }
    this.#isUnderWay = true;
    if (this.#entries.size <= MAX_WAITING) {
      this.#room?.open();
      this.#room = undefined;
    }
    const pods = taken.flatMap((one) => ('pod' in one ? one.pod : []));
    this.#send({
      ...this.#shapes.of(pods),
      pods: pods.map(rowOf),
      put: taken.flatMap((one) => ('put' in one ? one.put : [])),
      removed: taken.flatMap((one) => ('removed' in one ? one.removed : [])),
      refused: taken.flatMap((one) => ('refused' in one ? one.refused : [])),
      whole: taken.flatMap((one) => ('whole' in one ? one.whole : [])),
    });
  }
}

function rowOf({ shape, fields: [name, nodeName, ips], atMs, createdMs }: ShapedEntry): PodRow {
  return [shape.number, name, nodeName, ips.join(), atMs, createdMs];
}
