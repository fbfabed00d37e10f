/**
 * Mutated DNS messages through everything that reads one. The bytes around a message are noise that differs between two
 * readings: what is read of it must not. Of one message in hundred each look at a byte is counted.
 */
import { deepEqual, ok } from 'node:assert/strict';
import { DnsAnswers } from '../wire/dns/answers.ts';
import { DNS_ERROR_KINDS, DnsMessage, RCODE_REFUSED } from '../wire/dns/message.ts';
import { DomainName } from '../wire/dns/name.ts';
import { emitRefusal, MAX_REFUSAL_BYTES } from '../wire/dns/refusal.ts';
import { address, alias, answer, OPT, pointer, query } from './dns-messages.ts';

const MARGIN = 300;
/** Looks at bytes for each byte of a message: one for the frame of everything, and the names of records in each pass over them. */
const LOOKS_PER_BYTE = 200;

type Draw = (below: number) => number;

const SEEDS = [
  query('www.example.com', { additionals: [OPT] }),
  query('a.b.c.d.e.f', { type: 28 }),
  query('.', { type: 2 }),
  answer('www.example.com', [
    { ...alias('x', 'y'), name: pointer(12), data: Buffer.concat([Buffer.from([3]), Buffer.from('cdn'), pointer(16)]) },
    { ...address('x', '192.0.2.1'), name: pointer(45) },
    { ...address('x', '2001:db8::1'), name: pointer(45) },
  ]),
  answer('a', [alias('a', 'b'), alias('b', 'c'), address('c', '198.51.100.7')], { additionals: [OPT] }),
  answer(
    'many',
    Array.from({ length: 40 }, (_, i) => ({ ...address('many', `192.0.2.${i}`), name: pointer(12) })),
  ),
];

export interface Outcomes {
  accepted: number;
  readonly kinds: Map<string, number>;
}

/** Throws when a message is read in two ways, past its end, or in too many steps. */
export function mutateMessages(draw: Draw, count: number): Outcomes {
  const outcomes: Outcomes = { accepted: 0, kinds: new Map() };
  const reader = new Reader();
  for (let i = 0; i < count; i++) {
    const bytes = mutate(SEEDS[draw(SEEDS.length)], draw);
    const first = reader.read(around(bytes, 0), bytes.length);
    const second = reader.read(around(bytes, 0xff), bytes.length);
    deepEqual(first, second, `message ${i}: what lies around it must not matter`);
    if (i % 100 === 0) {
      const counted = new CountedBytes(around(bytes, 0));
      reader.read(counted.bytes, bytes.length);
      ok(
        counted.looks <= LOOKS_PER_BYTE * (bytes.length + 1),
        `message ${i}: ${counted.looks} looks at ${bytes.length} bytes`,
      );
    }
    if (first.error === 0) outcomes.accepted++;
    const kind = DNS_ERROR_KINDS[first.error];
    ok(kind !== undefined, `message ${i}: error ${first.error}`);
    outcomes.kinds.set(kind, (outcomes.kinds.get(kind) ?? 0) + 1);
  }
  return outcomes;
}

/** Bytes that count how often they are looked at. */
class CountedBytes {
  looks = 0;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = new Proxy(bytes, {
      get: (target, key) => {
        this.looks++;
        return Reflect.get(target, key, target) as unknown;
      },
    });
  }
}

class Reader {
  readonly #message = new DnsMessage();
  readonly #answers = new DnsAnswers();
  readonly #name = new DomainName();
  readonly #refusal = new Uint8Array(MAX_REFUSAL_BYTES + 1);

  read(bytes: Uint8Array, length: number): { error: number; said: readonly unknown[] } {
    const end = MARGIN + length;
    const error = this.#message.parse(bytes, MARGIN, end);
    const said: unknown[] = [];
    if (error !== 0) return { error, said };
    const { id, flags, type, questionAt, nameBytes, recordsAt } = this.#message;
    said.push(
      id,
      flags,
      type,
      nameBytes,
      recordsAt,
      this.#name.load(bytes, MARGIN, end, questionAt),
      this.#name.text(),
    );
    ok(this.#name.length === nameBytes, 'the question is as long as it was found to be');
    if (this.#message.isResponse) {
      const count = this.#answers.read(this.#message, bytes, MARGIN, end);
      const { ttlSec, aliases, isCut, addresses } = this.#answers;
      said.push(count, ttlSec, aliases, isCut, [...addresses.subarray(0, 4 * count)]);
    } else {
      const refused = emitRefusal(this.#refusal, 0, this.#message, bytes, RCODE_REFUSED);
      ok(
        refused <= MAX_REFUSAL_BYTES && this.#message.parse(this.#refusal, 0, refused) === 0,
        'a refusal is a message',
      );
    }
    return { error, said };
  }
}

function around(bytes: Uint8Array, noise: number): Uint8Array {
  const all = new Uint8Array(bytes.length + 2 * MARGIN).fill(noise);
  all.set(bytes, MARGIN);
  return all;
}

/** Another message, a little different. */
export function mutate(seed: Uint8Array, draw: Draw): Uint8Array {
  let bytes: Uint8Array = Uint8Array.from(seed);
  for (let n = draw(4); n >= 0; n--) bytes = mutateOnce(bytes, draw);
  return bytes;
}

function mutateOnce(bytes: Uint8Array, draw: Draw): Uint8Array {
  const at = draw(bytes.length || 1);
  switch (draw(7)) {
    case 0:
      bytes[at] = draw(256);
      return bytes;
    case 1:
      bytes[at] ^= 1 << draw(8);
      return bytes;
    case 2: // a pointer
      bytes[at] = 0xc0 | draw(2);
      bytes[at + 1] = draw(256);
      return bytes;
    case 3: // a count
      bytes[5 + 2 * draw(4)] = draw(4);
      return bytes;
    case 4:
      return bytes.subarray(0, at);
    case 5: // a piece once more
      return concat(bytes.subarray(0, at), bytes.subarray(draw(at + 1)));
    default:
      return concat(bytes.subarray(0, at), Uint8Array.of(draw(256)), bytes.subarray(at));
  }
}

function concat(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}
