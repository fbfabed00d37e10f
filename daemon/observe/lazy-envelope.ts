/**
 * A flow that is decoded at the first look, by whoever looks: most are overwritten unseen, and decoding costs ten times what
 * keeping does. Until then it is a place in a block of records, which it holds in memory: blocks are small, so that one flow
 * that is kept for long does not keep thousands.
 */
import type { Envelope, Flow } from '../../hubble/flow.ts';
import { rfc3339 } from '../../hubble/time.ts';
import { destinationEndpointOf, sourceEndpointOf } from '../../wire/event.ts';

/** Decodes the record at a place of a block. @param position of the record in its ring */
export interface RecordDecoder {
  readonly nodeName: string;
  decode(block: Uint8Array, at: number, position: number): Flow | undefined;
}

export class LazyEnvelope implements Envelope {
  readonly timeMs: number;
  /** Local endpoints, 0 for an end that is not local; known without decoding. */
  readonly sourceEndpoint: number;
  readonly destinationEndpoint: number;
  readonly #decoder: RecordDecoder;
  readonly #at: number;
  readonly #position: number;
  #block: Uint8Array | undefined;
  #flow: Flow | undefined;

  /** @param block with the record at `at`; it must decode to a flow, and nobody may write to it any more */
  constructor(decoder: RecordDecoder, block: Uint8Array, at: number, position: number, timeMs: number) {
    this.#decoder = decoder;
    this.#block = block;
    this.#at = at;
    this.#position = position;
    this.timeMs = timeMs;
    this.sourceEndpoint = sourceEndpointOf(block, at);
    this.destinationEndpoint = destinationEndpointOf(block, at);
  }

  get flow(): Flow {
    if (this.#block !== undefined) this.#flow = this.#decoder.decode(this.#block, this.#at, this.#position);
    this.#block = undefined;
    return this.#flow as Flow;
  }

  get node_name(): string {
    return this.#decoder.nodeName;
  }

  get time(): string {
    return this.#flow?.time ?? rfc3339(this.timeMs);
  }

  /** In the order of hubble's own output. */
  toJSON(): Envelope {
    return { flow: this.flow, node_name: this.node_name, time: this.time };
  }
}
