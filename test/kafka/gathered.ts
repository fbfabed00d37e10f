/** What a request names, gathered as the parser gathers it for an answer. */
import type { Collected } from '../../l7proxy/kafka/collected.ts';
import { DONE } from '../../l7proxy/kafka/body-reader.ts';
import { KafkaRequest } from '../../l7proxy/kafka/request.ts';
import { bytesOf, type KafkaVector } from './vectors.ts';

/** Bytes before the client's id, its length in them, and of an empty list of tagged fields. */
const CLIENT_AT = 14;

export function requestOf(vector: KafkaVector): { request: KafkaRequest; bytes: Uint8Array; bodyAt: number } {
  const bytes = bytesOf(vector);
  const request = new KafkaRequest();
  request.apiKey = vector.key;
  request.version = vector.version;
  const bodyAt = CLIENT_AT + 'client-1'.length + (request.isFlexible ? 1 : 0);
  return { request, bytes, bodyAt };
}

export function gathered(vector: KafkaVector): Collected {
  const { request, bytes, bodyAt } = requestOf(vector);
  request.gather(bodyAt, bytes.length);
  const outcome = request.reader.read(bytes, 0, bytes.length, request);
  if (outcome !== DONE) throw new Error(`request ${vector.key} version ${vector.version}: found outcome ${outcome}`);
  return request.collected;
}
