/** Answers as tests compare them: names and records as text, in the order of the message. */
import { ok } from 'node:assert/strict';
import { formatIpv4, formatIpv6 } from '../wire/address.ts';
import { i32, u16 } from '../wire/bytes.ts';
import { DnsMessage } from '../wire/dns/message.ts';
import { DomainName, skipName } from '../wire/dns/name.ts';
import { TYPE_OPT, typeName } from '../wire/dns/types.ts';

export interface ReadAnswer {
  readonly id: number;
  /** NOERROR 0, NXDOMAIN 3 ...; with the upper bits of OPT. */
  readonly rcode: number;
  readonly isAuthoritative: boolean;
  readonly isCut: boolean;
  /** As it stands, in its case. */
  readonly question: string;
  /** `web.default.svc.cluster.local. 5 A 10.96.0.7` */
  readonly answers: readonly string[];
  readonly authority: readonly string[];
  readonly additional: readonly string[];
  readonly hasOpt: boolean;
  /** Data of the OPT record, in hex. */
  readonly options: string;
  readonly bytes: number;
}

/** @throws AssertionError for what is no answer */
export function readAnswer(bytes: Uint8Array): ReadAnswer {
  const message = new DnsMessage();
  const error = message.parse(bytes, 0, bytes.length);
  ok(error === 0, `found a message with error ${error}`);
  ok(message.isResponse, 'found a query');
  const counts = [message.answers, u16(bytes, 8), u16(bytes, 10)];
  let upper = 0;
  let options = '';
  let at = message.recordsAt;
  const sections = counts.map((count) => {
    const texts: string[] = [];
    for (let i = 0; i < count; i++) {
      const tail = skipName(bytes, 0, bytes.length, at);
      const end = tail + 10 + u16(bytes, tail + 8);
      if (u16(bytes, tail) === TYPE_OPT) {
        upper = bytes[tail + 4];
        options = Buffer.from(bytes.subarray(tail + 10, end)).toString('hex');
      } else
        texts.push(`${nameAt(bytes, at)} ${i32(bytes, tail + 4)} ${dataText(bytes, u16(bytes, tail), tail + 10, end)}`);
      at = end;
    }
    return texts;
  });
  const [answers, authority, additional] = sections;
  return {
    id: message.id,
    rcode: message.rcode + 16 * upper,
    isAuthoritative: (message.flags & 0x400) !== 0,
    isCut: (message.flags & 0x200) !== 0,
    question: rawName(bytes, message.questionAt),
    answers,
    authority,
    additional,
    hasOpt: message.hasOpt,
    options,
    bytes: bytes.length,
  };
}

function nameAt(bytes: Uint8Array, at: number): string {
  const name = new DomainName();
  ok(name.load(bytes, 0, bytes.length, at), 'found no name');
  return name.text();
}

/** A name without pointers in its own case. */
function rawName(bytes: Uint8Array, at: number): string {
  let text = '';
  for (let p = at; bytes[p] !== 0; p += bytes[p] + 1)
    text += `${Buffer.from(bytes.subarray(p + 1, p + 1 + bytes[p])).toString('latin1')}.`;
  return text;
}

function dataText(bytes: Uint8Array, type: number, at: number, end: number): string {
  const word = (i: number) => i32(bytes, at + 4 * i);
  switch (typeName(type)) {
    case 'A':
      return `A ${formatIpv4(word(0))}`;
    case 'AAAA':
      return `AAAA ${formatIpv6(word(0), word(1), word(2), word(3))}`;
    case 'SRV':
      return `SRV ${u16(bytes, at)} ${u16(bytes, at + 2)} ${u16(bytes, at + 4)} ${nameAt(bytes, at + 6)}`;
    case 'MX':
      return `MX ${u16(bytes, at)} ${nameAt(bytes, at + 2)}`;
    case 'CNAME':
    case 'PTR':
    case 'NS':
      return `${typeName(type)} ${nameAt(bytes, at)}`;
    case 'SOA':
      return `SOA ${nameAt(bytes, at)} ${nameAt(bytes, skipName(bytes, 0, end, at))}`;
    case 'TXT':
      return `TXT ${Buffer.from(bytes.subarray(at + 1, end)).toString('latin1')}`;
    default:
      return `${typeName(type)} ${Buffer.from(bytes.subarray(at, end)).toString('hex')}`;
  }
}
