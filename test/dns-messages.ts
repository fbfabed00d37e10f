/** DNS messages for tests, right ones and wrong ones: names may be given as bytes, and counts may lie. */
import { FLAG_RECURSION_DESIRED, FLAG_RESPONSE } from '../wire/dns/message.ts';
import { CLASS_IN, TYPE_A, TYPE_AAAA, TYPE_CNAME, TYPE_OPT } from '../wire/dns/types.ts';
import { addressWords } from '../wire/address.ts';

/** A name as text, or its bytes as they stand in the message. */
export type NameInput = string | Uint8Array;

export interface RecordInput {
  readonly name: NameInput;
  readonly type: number;
  readonly class?: number;
  readonly ttl?: number;
  readonly data: Uint8Array;
}

export interface MessageInput {
  readonly id?: number;
  readonly flags?: number;
  readonly questions?: readonly { readonly name: NameInput; readonly type?: number; readonly class?: number }[];
  readonly answers?: readonly RecordInput[];
  readonly authorities?: readonly RecordInput[];
  readonly additionals?: readonly RecordInput[];
  /** Instead of how many there are. */
  readonly counts?: readonly number[];
  readonly trailing?: Uint8Array;
}

export function message(input: MessageInput): Buffer {
  const { id = 1, flags = 0, questions = [], answers = [], authorities = [], additionals = [], trailing } = input;
  const header = Buffer.alloc(12);
  const counts = input.counts ?? [questions.length, answers.length, authorities.length, additionals.length];
  [id, flags, ...counts].forEach((word, i) => header.writeUInt16BE(word, 2 * i));
  const asked = questions.map((one) =>
    Buffer.concat([nameBytes(one.name), words(one.type ?? TYPE_A, one.class ?? CLASS_IN)]),
  );
  const records = [...answers, ...authorities, ...additionals].map(recordBytes);
  return Buffer.concat([header, ...asked, ...records, trailing ?? Buffer.alloc(0)]);
}

export function query(name: NameInput, more: MessageInput & { readonly type?: number } = {}): Buffer {
  return message({ flags: FLAG_RECURSION_DESIRED, questions: [{ name, type: more.type ?? TYPE_A }], ...more });
}

export function answer(
  name: NameInput,
  answers: readonly RecordInput[],
  more: MessageInput & { readonly type?: number } = {},
) {
  return query(name, { flags: FLAG_RESPONSE, answers, ...more });
}

/** An address, by what its text is. */
export function address(name: NameInput, text: string, ttl = 60): RecordInput {
  const bytes = Buffer.alloc(16);
  addressWords(text).forEach((word, i) => bytes.writeInt32BE(word, 4 * i));
  const isV4 = !text.includes(':');
  return { name, type: isV4 ? TYPE_A : TYPE_AAAA, ttl, data: isV4 ? bytes.subarray(12) : bytes };
}

export function alias(name: NameInput, to: NameInput, ttl = 60): RecordInput {
  return { name, type: TYPE_CNAME, ttl, data: nameBytes(to) };
}

export const OPT: RecordInput = { name: '.', type: TYPE_OPT, class: 1232, ttl: 0, data: Buffer.alloc(0) };

/** Wire form; the case stays as it is. */
export function nameBytes(name: NameInput): Buffer {
  if (typeof name !== 'string') return Buffer.from(name);
  const labels = name.split('.').filter((label) => label !== '');
  return Buffer.concat([
    ...labels.map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, 'latin1')),
    Buffer.alloc(1),
  ]);
}

/** A pointer to an offset in the message. */
export function pointer(offset: number): Buffer {
  return words(0xc000 | offset);
}

function recordBytes(record: RecordInput): Buffer {
  const ttl = Buffer.alloc(4);
  ttl.writeUInt32BE(record.ttl ?? 60);
  const kind = words(record.type, record.class ?? CLASS_IN);
  return Buffer.concat([nameBytes(record.name), kind, ttl, words(record.data.length), record.data]);
}

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(2 * values.length);
  values.forEach((value, i) => bytes.writeUInt16BE(value, 2 * i));
  return bytes;
}
