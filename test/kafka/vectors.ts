/** Requests of each version of each message, encoded by another codec (make_vectors.py), with what they name. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface KafkaVector {
  readonly key: number;
  readonly version: number;
  /** The whole message, with its size in front. */
  readonly hex: string;
  readonly topics: readonly string[];
  readonly ids: readonly string[];
  readonly partitions: readonly number[];
}

const FILE = join(import.meta.dirname, '../../../test/kafka/requests.json');

export const VECTORS = JSON.parse(readFileSync(FILE, 'utf8')) as readonly KafkaVector[];
/** In all of them. */
export const CORRELATION = 0x01020304;

export function bytesOf({ hex }: KafkaVector): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}
