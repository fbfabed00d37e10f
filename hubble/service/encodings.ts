/**
 * Envelopes as bytes, made once for all clients that want the same: the same codec and the same fields. The last SHARED of each
 * kind are kept, by their place in the ring; clients that follow are all near its end.
 */
import type { Envelope, Flow } from '../flow.ts';
import { compileMask } from '../message/field-mask.ts';

const SHARED = 1024;
/** Kinds that are kept, the one asked for longest ago forgotten first; clients of one program ask for the same. */
const KINDS = 8;

export type Codec = 'binary' | 'json';

/** What makes the bytes of a message. */
export type Encode = (envelope: Envelope) => Uint8Array;

export class Encodings {
  readonly #kinds = new Map<string, Encoding>();
  readonly #binary: Encode;

  /** @param binary encodes a message of the stream */
  constructor(binary: Encode) {
    this.#binary = binary;
  }

  /**
   * @param paths of a field mask; none is all fields
   * @throws SyntaxError for a path that leads nowhere
   */
  of(codec: Codec, paths: readonly string[]): Encoding {
    const key = `${codec} ${[...paths].sort().join(' ')}`;
    const encoding = this.#kinds.get(key) ?? new Encoding(this.#encodeOf(codec, paths));
    this.#kinds.delete(key);
    this.#kinds.set(key, encoding);
    for (const oldest of this.#kinds.keys()) {
      if (this.#kinds.size <= KINDS) break;
      this.#kinds.delete(oldest);
    }
    return encoding;
  }

  #encodeOf(codec: Codec, paths: readonly string[]): Encode {
    const encode = codec === 'binary' ? this.#binary : json;
    if (paths.length === 0) return encode;
    const mask = compileMask(paths);
    return (envelope) => encode(masked(envelope, mask));
  }
}

const json: Encode = ({ flow, lost_events, agent_event, node_name, time }) =>
  Buffer.from(JSON.stringify({ flow, lost_events, agent_event, node_name, time }));

function masked(envelope: Envelope, mask: (flow: Flow) => Partial<Flow>): Envelope {
  const { flow, node_name = '', time = '' } = envelope;
  return flow === undefined ? envelope : { flow: mask(flow) as Flow, node_name, time };
}

/** One kind: a codec and a set of fields. */
export class Encoding {
  /** The bytes of an envelope that stands nowhere in the ring. */
  readonly alone: Encode;
  readonly #bytes = new Array<Uint8Array | undefined>(SHARED).fill(undefined);
  readonly #sequences = new Float64Array(SHARED).fill(-1);

  constructor(encode: Encode) {
    this.alone = encode;
  }

  /** The bytes of the envelope that stands at `sequence` in the ring. They are shared: nobody writes to them. */
  at(sequence: number, envelope: Envelope): Uint8Array {
    const slot = sequence % SHARED;
    const known = this.#sequences[slot] === sequence ? this.#bytes[slot] : undefined;
    if (known !== undefined) return known;
    const made = this.alone(envelope);
    this.#bytes[slot] = made;
    this.#sequences[slot] = sequence;
    return made;
  }
}
