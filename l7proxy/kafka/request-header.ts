/**
 * The header of a request: size, api key, version, correlation id, client id, and from the first flexible version of each request
 * on tagged fields (KIP-482). Requests that are not known here are read up to the client id; their body is not read.
 */
import { i32, u16 } from '../../wire/bytes.ts';
import type { KafkaRequest } from './request.ts';

/** Where the client id is in a message. */
export const CLIENT_AT = 14;

/** Not all of it is there; it is none. */
export const HEADER_MORE = -1;
export const HEADER_BAD = -2;

const MAX_CLIENT_ID = 4096;
const MAX_TAGS = 16;
const MAX_API_KEY = 0x7fff;

/**
 * @param end of what is there of the message at `at` @param limit its length
 * @returns where its body begins in it, HEADER_MORE or HEADER_BAD
 */
export function readHeader(request: KafkaRequest, bytes: Uint8Array, at: number, end: number, limit: number): number {
  if (end - at < CLIENT_AT) return HEADER_MORE;
  request.apiKey = u16(bytes, at + 4);
  request.version = u16(bytes, at + 6);
  request.correlation = i32(bytes, at + 8);
  request.clientBytes = (u16(bytes, at + 12) << 16) >> 16;
  const afterClient = CLIENT_AT + Math.max(request.clientBytes, 0);
  const isGood = request.apiKey <= MAX_API_KEY && request.clientBytes >= -1 && request.clientBytes <= MAX_CLIENT_ID;
  if (!isGood || afterClient > limit) return HEADER_BAD;
  if (end - at < afterClient) return HEADER_MORE;
  if (!request.isKnown || !request.isFlexible) return afterClient;
  const tags = tagBytes(bytes, at + afterClient, end);
  if (tags < 0) return tags === HEADER_MORE && end - at < limit ? HEADER_MORE : HEADER_BAD;
  return afterClient + tags;
}

/** @returns bytes of the tagged fields at `at`, HEADER_MORE or HEADER_BAD. Clients send none; small ones are borne with. */
function tagBytes(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return HEADER_MORE;
  if (bytes[at] > MAX_TAGS) return HEADER_BAD;
  let next = at + 1;
  for (let tag = 0; tag < bytes[at]; tag++) {
    if (next + 2 > end) return HEADER_MORE;
    if (bytes[next] >= 0x80 || bytes[next + 1] >= 0x80) return HEADER_BAD;
    next += 2 + bytes[next + 1];
    if (next > end) return HEADER_MORE;
  }
  return next - at;
}
