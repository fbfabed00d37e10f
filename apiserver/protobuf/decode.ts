/**
 * Objects that clients send as protobuf: newer kubectl does so for what it makes itself (`create namespace`, `create configmap`), whatever the server
 * says of its preferences. Answers are JSON, which these clients accept.
 *
 *     "k8s\0" Unknown{ typeMeta{apiVersion, kind}, raw = the object's message }
 *
 * Go writes what is empty too, where it has no pointer; it is left out here, as JSON does. A field that the table does not know is left out.
 */
import { timestamp } from '../storage/kube-object.ts';
import { StatusError } from '../storage/status-error.ts';
import { type Field, type FieldType, messageNameOf, messageOf } from './messages.ts';

const MAGIC = Buffer.from('k8s\0');
/** Types on the wire. */
const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

type Plain = Record<string, unknown>;

/** @throws StatusError 400 for what is no such object, or of a kind that is not known in this form */
export function decodeObject(bytes: Buffer): Plain {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw wrong('no object of Kubernetes');
  const parts = new Map(fieldsIn(bytes.subarray(MAGIC.length)).map(({ number, value }) => [number, value]));
  const type = new Map(
    fieldsIn(asBytes(parts.get(1))).map(({ number, value }) => [number, asBytes(value).toString('utf8')]),
  );
  const [apiVersion, kind] = [type.get(1) ?? '', type.get(2) ?? ''];
  const name = messageNameOf(apiVersion, kind);
  if (messageOf(name) === undefined) throw wrong(`${apiVersion} ${kind}, which is known as JSON only`);
  return { apiVersion, kind, ...decodeMessage(asBytes(parts.get(2)), name) };
}

interface WireField {
  readonly number: number;
  readonly value: number | Buffer;
}

/** Field by field, as they stand on the wire. */
function fieldsIn(bytes: Buffer): WireField[] {
  const found: WireField[] = [];
  let at = 0;
  const varint = (): number => {
    let [value, factor] = [0, 1];
    for (let i = 0; i < 10; i++) {
      if (at >= bytes.length) break;
      const byte = bytes[at++];
      // The tenth byte of a negative number: the sign, beyond what a double holds exactly.
      value += (byte & 0x7f) * factor;
      factor *= 128;
      if (byte < 0x80) return value >= 2 ** 63 ? value - 2 ** 64 : value;
    }
    throw wrong('a number without end');
  };
  const take = (length: number): Buffer => {
    if (length < 0 || at + length > bytes.length) throw wrong('a field that is longer than its message');
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    switch (tag % 8) {
      case WIRE.varint:
        found.push({ number, value: varint() });
        break;
      case WIRE.bytes:
        found.push({ number, value: take(varint()) });
        break;
      case WIRE.fixed64:
        found.push({ number, value: take(8).readDoubleLE() });
        break;
      case WIRE.fixed32:
        found.push({ number, value: take(4).readFloatLE() });
        break;
      default:
        throw wrong(`wire type ${tag % 8}`);
    }
  }
  return found;
}

function decodeMessage(bytes: Buffer, name: string): Plain {
  const message = messageOf(name);
  const object: Plain = {};
  for (const { number, value } of fieldsIn(bytes)) {
    const field = message?.get(number);
    if (field !== undefined) put(object, field, value);
  }
  return object;
}

function put(object: Plain, { name, type, isPointer }: Field, value: number | Buffer): void {
  if (name === '' && type.what === 'message') {
    Object.assign(object, decodeMessage(asBytes(value), type.name));
    return;
  }
  if (type.what === 'list' && !type.isWrapped) {
    const list = (object[name] ??= []) as unknown[];
    list.push(decodeValue(value, type.of));
    return;
  }
  if (type.what === 'map') {
    const map = (object[name] ??= {}) as Plain;
    const entry = new Map(fieldsIn(asBytes(value)).map((one) => [one.number, one.value]));
    const key = asBytes(entry.get(1) ?? Buffer.alloc(0)).toString('utf8');
    if (key === '__proto__') throw wrong('a field __proto__');
    map[key] = decodeValue(entry.get(2) ?? Buffer.alloc(0), type.of);
    return;
  }
  const found = decodeValue(value, type);
  if (isPointer || !isNothing(found)) object[name] = found;
}

function decodeValue(value: number | Buffer, type: FieldType): unknown {
  if (type.what === 'message') return decodeMessage(asBytes(value), type.name);
  if (type.what === 'list') return fieldsIn(asBytes(value)).map((one) => decodeValue(one.value, type.of));
  if (type.what === 'map') throw wrong('a map in a list');
  const decode = VALUES[type.letter];
  return decode(value);
}

const VALUES: Readonly<Record<string, (value: number | Buffer) => unknown>> = {
  s: (value) => asBytes(value).toString('utf8'),
  b: (value) => asNumber(value) !== 0,
  i: asNumber,
  d: asNumber,
  y: (value) => asBytes(value).toString('base64'),
  Q: (value) => asBytes(numbered(value).get(1) ?? Buffer.alloc(0)).toString('utf8'),
  J: (value) => json(asBytes(numbered(value).get(1) ?? Buffer.alloc(0)).toString('utf8')),
  I: (value) => {
    const [type, number, text] = [1, 2, 3].map((one) => numbered(value).get(one));
    return type === 1 ? asBytes(text ?? Buffer.alloc(0)).toString('utf8') : (number ?? 0);
  },
  T: (value) => time(value, false),
  M: (value) => time(value, true),
};

function numbered(value: number | Buffer): Map<number, number | Buffer> {
  return new Map(fieldsIn(asBytes(value)).map((one) => [one.number, one.value]));
}

/** Seconds and nanoseconds; null for no time. */
function time(value: number | Buffer, hasMicros: boolean): string | null {
  const fields = numbered(value);
  const seconds = fields.get(1);
  if (seconds === undefined) return null;
  const ms = asNumber(seconds) * 1000;
  if (!Number.isFinite(new Date(ms).getTime())) throw wrong('a time beyond all calendars');
  const text = timestamp(ms);
  if (!hasMicros) return text;
  const micros = Math.floor(asNumber(fields.get(2) ?? 0) / 1000);
  return `${text.slice(0, -1)}.${String(micros).padStart(6, '0')}Z`;
}

function json(text: string): unknown {
  if (text === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    throw wrong('a field of JSON that is none');
  }
}

function isNothing(value: unknown): boolean {
  if (value === null || value === '' || value === 0 || value === false) return true;
  return typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length === 0;
}

function asBytes(value: number | Buffer | undefined): Buffer {
  if (Buffer.isBuffer(value)) return value;
  throw wrong('another wire type than the field has');
}

function asNumber(value: number | Buffer): number {
  if (typeof value === 'number') return value;
  throw wrong('another wire type than the field has');
}

function wrong(found: string): StatusError {
  return StatusError.badRequest(`read body as protobuf: found ${found}`);
}
