/**
 * What topics are called that requests name by id (KIP-516), learnt from the metadata that brokers tell on their way through.
 *
 * What a broker says counts for the servers of its own identity only: a pod that runs a server of its own cannot teach what
 * the ids of another one mean. Outside the cluster many servers share an identity, so there it counts for the
 * connection that it came by. What is not known, nobody may ask for.
 */
import { LRUCache } from 'lru-cache';
import { i32 } from '../../wire/bytes.ts';
import { AGGREGATE_REMOTE_NODE, LOCAL_SCOPE } from '../../wire/identities.ts';
import type { StreamOwner } from '../parser.ts';

const MAX_SCOPES = 1024;
/** Of one scope; more displace the oldest. */
const MAX_TOPICS = 4096;

interface Topic {
  readonly words: readonly [number, number, number, number];
  name: Uint8Array;
}

class Scope {
  readonly #topics = new Map<number, Topic[]>();
  /** Oldest first. */
  readonly #order: Topic[] = [];

  find(w0: number, w1: number, w2: number, w3: number): Topic | undefined {
    const topics = this.#topics.get(w0 ^ w3);
    if (topics === undefined) return undefined;
    for (const topic of topics) if (isSame(topic.words, w0, w1, w2, w3)) return topic;
    return undefined;
  }

  add(topic: Topic): void {
    const hash = topic.words[0] ^ topic.words[3];
    const others = this.#topics.get(hash);
    if (others === undefined) this.#topics.set(hash, [topic]);
    else others.push(topic);
    this.#order.push(topic);
    if (this.#order.length > MAX_TOPICS) this.#forgetOldest();
  }

  #forgetOldest(): void {
    const oldest = this.#order.shift() as Topic;
    const hash = oldest.words[0] ^ oldest.words[3];
    const others = (this.#topics.get(hash) ?? []).filter((topic) => topic !== oldest);
    if (others.length === 0) this.#topics.delete(hash);
    else this.#topics.set(hash, others);
  }
}

function isSame(words: readonly number[], w0: number, w1: number, w2: number, w3: number): boolean {
  return words[0] === w0 && words[1] === w1 && words[2] === w2 && words[3] === w3;
}

export class TopicIds {
  readonly #scopes = new LRUCache<string, Scope>({ max: MAX_SCOPES });

  /** Whether what one server of this identity says counts for all of them. */
  static isShared({ dstIdentity }: StreamOwner): boolean {
    return dstIdentity > AGGREGATE_REMOTE_NODE && dstIdentity < LOCAL_SCOPE;
  }

  /** A broker said what the topic with the id bytes[at, at + 16) is called. @param topic is copied */
  learn(owner: StreamOwner, bytes: Uint8Array, at: number, topic: Uint8Array): void {
    const name = scopeOf(owner);
    let scope = this.#scopes.get(name);
    if (scope === undefined) {
      scope = new Scope();
      this.#scopes.set(name, scope);
    }
    const words = [i32(bytes, at), i32(bytes, at + 4), i32(bytes, at + 8), i32(bytes, at + 12)] as const;
    const known = scope.find(...words);
    if (known === undefined) scope.add({ words, name: topic.slice() });
    else if (Buffer.compare(known.name, topic) !== 0) known.name = topic.slice();
  }

  /** The name of the topic with this id; undefined when nobody has told. */
  nameOf(owner: StreamOwner, bytes: Uint8Array, at: number): Uint8Array | undefined {
    const scope = this.#scopes.get(scopeOf(owner));
    return scope?.find(i32(bytes, at), i32(bytes, at + 4), i32(bytes, at + 8), i32(bytes, at + 12))?.name;
  }
}

function scopeOf(owner: StreamOwner): string {
  return TopicIds.isShared(owner) ? `${owner.dstIdentity}` : `${owner.slot}/${owner.slotGeneration}`;
}
