/**
 * Whether the records of an answer are what their types say: addresses of their length, names that are names and end with their
 * data. What is kept and told to many has been looked at once; other types are passed on as they came (RFC 3597).
 */
import { u16 } from '../wire/bytes.ts';
import { type DnsMessage, RECORD_TAIL_BYTES } from '../wire/dns/message.ts';
import { DomainName, skipName } from '../wire/dns/name.ts';
import {
  TYPE_A,
  TYPE_AAAA,
  TYPE_CNAME,
  TYPE_DNAME,
  TYPE_MX,
  TYPE_NS,
  TYPE_PTR,
  TYPE_SOA,
  TYPE_SRV,
} from '../wire/dns/types.ts';

/** Bytes of data before its name, of types whose data ends in one. */
export const NAME_AT: Readonly<Record<number, number>> = {
  [TYPE_NS]: 0,
  [TYPE_CNAME]: 0,
  [TYPE_PTR]: 0,
  [TYPE_DNAME]: 0,
  [TYPE_MX]: 2,
  [TYPE_SRV]: 6,
};
const SOA_NUMBERS_BYTES = 20;

const name = new DomainName();

/** @param message parsed; it lies in bytes[start, end) */
export function isSound(message: DnsMessage, bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = message.recordsAt; at < message.additionalsAt; ) {
    const tail = skipName(bytes, start, end, at);
    const data = tail + RECORD_TAIL_BYTES;
    const after = data + u16(bytes, tail + 8);
    if (!name.load(bytes, start, end, at) || !isData(u16(bytes, tail), bytes, { start, data, after })) return false;
    at = after;
  }
  return true;
}

function isData(
  type: number,
  bytes: Uint8Array,
  { start, data, after }: { start: number; data: number; after: number },
): boolean {
  if (type === TYPE_A) return after - data === 4;
  if (type === TYPE_AAAA) return after - data === 16;
  if (type === TYPE_SOA) {
    const second = nameEnd(bytes, start, after, data);
    return second >= 0 && nameEnd(bytes, start, after, second) === after - SOA_NUMBERS_BYTES;
  }
  const before = NAME_AT[type];
  return before === undefined || nameEnd(bytes, start, after, data + before) === after;
}

/** Behind a name within the data of a record; -1 when it is none. */
function nameEnd(bytes: Uint8Array, start: number, after: number, at: number): number {
  return at < after && name.load(bytes, start, after, at) ? skipName(bytes, start, after, at) : -1;
}
