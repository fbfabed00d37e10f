/**
 * Values that have a JSON of their own: numbers, text, and the messages of google.protobuf that JSON writes as one value. Each
 * becomes a function that writes it backwards, without its tag.
 */
import { ScalarType } from '@bufbuild/protobuf';
import type { BackwardWriter } from './backward-writer.ts';

/** What was written: nothing that can be told, the zero value, or a value. The first two are taken back where they do not count. */
export const UNTELLABLE = -1;
export const ZERO = 0;
export const VALUE = 1;

export type WriteValue = (writer: BackwardWriter, value: unknown) => typeof UNTELLABLE | typeof ZERO | typeof VALUE;

/** Types of fields on the wire. */
export const VARINT = 0;
const FIXED_64 = 1;
export const LENGTH_DELIMITED = 2;

/** What every function throws for a value of the wrong type. */
export function wrong(name: string, found: unknown, wanted: string): TypeError {
  return new TypeError(`encode ${name}: found ${JSON.stringify(found)}, wanted ${wanted}`);
}

interface Scalar {
  /** @param name of the field, for errors */
  readonly write: (name: string) => WriteValue;
  readonly wireType: number;
}

/** Of the kinds that our messages have. */
export const SCALARS: Readonly<Partial<Record<ScalarType, Scalar>>> = {
  [ScalarType.STRING]: { write: text, wireType: LENGTH_DELIMITED },
  [ScalarType.BOOL]: { write: bool, wireType: VARINT },
  [ScalarType.INT32]: { write: integer, wireType: VARINT },
  [ScalarType.UINT32]: { write: integer, wireType: VARINT },
  [ScalarType.INT64]: { write: long, wireType: VARINT },
  [ScalarType.UINT64]: { write: long, wireType: VARINT },
  [ScalarType.DOUBLE]: { write: double, wireType: FIXED_64 },
};

function text(name: string): WriteValue {
  return (writer, value) => {
    if (typeof value !== 'string') throw wrong(name, value, 'text');
    return writer.text(value) > 0 ? VALUE : ZERO;
  };
}

function bool(name: string): WriteValue {
  return (writer, value) => {
    if (typeof value !== 'boolean') throw wrong(name, value, 'true or false');
    writer.varint(value ? 1 : 0);
    return value ? VALUE : ZERO;
  };
}

function integer(name: string): WriteValue {
  return (writer, value) => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw wrong(name, value, 'an integer');
    if (value < 0) writer.bigVarint(BigInt(value));
    else writer.varint(value);
    return value === 0 ? ZERO : VALUE;
  };
}

const DIGITS_OF_A_DOUBLE = 15;

/** 64 bits: decimal text, or a number that is small enough. */
function long(name: string): WriteValue {
  const small = integer(name);
  return (writer, value) => {
    if (typeof value !== 'string') return small(writer, value);
    if (!/^-?\d{1,20}$/.test(value)) throw wrong(name, value, 'a decimal number');
    if (value.length <= DIGITS_OF_A_DOUBLE) return small(writer, Number(value));
    writer.bigVarint(BigInt(value));
    return VALUE;
  };
}

function double(name: string): WriteValue {
  return (writer, value) => {
    if (typeof value !== 'number') throw wrong(name, value, 'a number');
    writer.double(value);
    return value === 0 ? ZERO : VALUE;
  };
}

const TAG_1_VARINT = 0x08;
const TAG_2_VARINT = 0x10;
const TAG_1_TEXT = 0x0a;
const TAG_2_TEXT = 0x12;

const RFC3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))$/;

/** The time that was met last: a flow and its envelope have the same. */
const lastTime = { text: '', seconds: Number.NaN, nanos: 0 };

function parseTime(time: string): void {
  const [, second = '', fraction = '', sign = '', hours = '0', minutes = '0'] = RFC3339.exec(time) ?? [];
  const ahead = (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -60 : 60);
  lastTime.text = time;
  lastTime.seconds = Date.parse(`${second}Z`) / 1000 - ahead;
  lastTime.nanos = Number(fraction.padEnd(9, '0'));
}

/** `2026-01-02T03:04:05.006Z` to seconds and nanoseconds. */
const timestamp: WriteValue = (writer, value) => {
  if (typeof value !== 'string') throw wrong('google.protobuf.Timestamp', value, 'text');
  if (value !== lastTime.text) parseTime(value);
  const { seconds, nanos } = lastTime;
  if (Number.isNaN(seconds)) return UNTELLABLE;
  if (nanos !== 0) {
    writer.varint(nanos);
    writer.varint(TAG_2_VARINT);
  }
  if (seconds !== 0) {
    if (seconds < 0) writer.bigVarint(BigInt(seconds));
    else writer.varint(seconds);
    writer.varint(TAG_1_VARINT);
  }
  return VALUE;
};

/** A wrapper is a message whose only field is the value; its own presence says that there is one. */
function wrapper(write: WriteValue): WriteValue {
  return (writer, value) => {
    const { length } = writer;
    if (write(writer, value) === VALUE) writer.varint(TAG_1_VARINT);
    else writer.rewind(length);
    return VALUE;
  };
}

const STRING_VALUE = 'type.googleapis.com/google.protobuf.StringValue';

/** Of what an Any may hold, the one type that our flows put into it. */
const any: WriteValue = (writer, value) => {
  const { '@type': type, value: held } = value as { readonly '@type'?: unknown; readonly value?: unknown };
  if (type !== STRING_VALUE || typeof held !== 'string') return UNTELLABLE;
  if (held !== '') {
    const { length } = writer;
    writer.varint(writer.text(held));
    writer.varint(TAG_1_TEXT);
    writer.varint(writer.length - length);
    writer.varint(TAG_2_TEXT);
  }
  writer.varint(writer.text(type));
  writer.varint(TAG_1_TEXT);
  return VALUE;
};

/** By the full name of their message. */
export const WELL_KNOWN: Readonly<Record<string, WriteValue>> = {
  'google.protobuf.Timestamp': timestamp,
  'google.protobuf.BoolValue': wrapper(bool('google.protobuf.BoolValue')),
  'google.protobuf.Int32Value': wrapper(integer('google.protobuf.Int32Value')),
  'google.protobuf.UInt32Value': wrapper(integer('google.protobuf.UInt32Value')),
  'google.protobuf.Any': any,
};
