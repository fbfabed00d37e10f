/**
 * JSON objects as Hubble writes them (protojson: original field names, enumerations by name, 64-bit numbers as text,
 * RFC 3339) to the wire format, without a message object between. There is no code for a message of its own: an encoder is
 * put together once from the generated description of its message, so it knows every field that the proto has.
 *
 * It is here for speed, since every flow passes: the runtime's way over message objects (`fromJson`, `toBinary`) takes
 * several times as long. The tests hold it to that way.
 *
 * What a message has no field for is left out, and so is a name that its enumeration lacks, or a time that is none: a reader
 * could do nothing with it. A value of a wrong type throws a TypeError.
 */
import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { FeatureSet_FieldPresence } from '@bufbuild/protobuf/wkt';
import { keepWith, keptWith } from '../shared-part.ts';
import { BackwardWriter } from './backward-writer.ts';
import {
  LENGTH_DELIMITED,
  SCALARS,
  UNTELLABLE,
  VALUE,
  VARINT,
  WELL_KNOWN,
  type WriteValue,
  wrong,
  ZERO,
} from './well-known.ts';

/** Encodes one message; the bytes are the caller's. */
export type Encoder = (value: object) => Uint8Array;

/** Writes a field with its tags. */
type WriteField = (writer: BackwardWriter, value: unknown) => void;

/** @throws TypeError when the message has a field of a kind that no message of ours has */
export function compileEncoder(schema: DescMessage): Encoder {
  const write = new MessageWriters().of(schema);
  const writer = new BackwardWriter();
  return (value) => {
    writer.reset();
    write(writer, value);
    return writer.finish();
  };
}

class MessageWriters {
  readonly #known = new Map<string, WriteValue>();

  of(schema: DescMessage): WriteValue {
    const known = WELL_KNOWN[schema.typeName] ?? this.#known.get(schema.typeName);
    if (known !== undefined) return known;
    const fields = new Map<string, WriteField>();
    const write: WriteValue = (writer, value) => {
      if (typeof value !== 'object' || value === null) throw wrong(schema.typeName, value, 'an object');
      const members = value as Readonly<Record<string, unknown>>;
      for (const name in members) {
        const member = members[name];
        if (member !== undefined && member !== null) fields.get(name)?.(writer, member);
      }
      return VALUE;
    };
    this.#known.set(schema.typeName, write); // before its fields, for a message that holds itself
    for (const field of schema.fields) fields.set(field.name, this.#field(field));
    return write;
  }

  #field(field: DescField): WriteField {
    const { write, wireType } = this.#value(field);
    const tag = field.number * 8 + wireType;
    /** @param least what must have been written for the field to stay */
    const one = (writer: BackwardWriter, member: unknown, least: number): void => {
      const { length } = writer;
      if (write(writer, member) < least) {
        writer.rewind(length);
        return;
      }
      if (wireType === LENGTH_DELIMITED) writer.varint(writer.length - length);
      writer.varint(tag);
    };
    if (field.fieldKind === 'list') {
      return onceForShared(tag, (writer, members) => {
        if (!Array.isArray(members)) throw wrong(field.toString(), members, 'a list');
        for (let i = members.length - 1; i >= 0; i--) one(writer, members[i], ZERO);
        return VALUE;
      });
    }
    // Without presence of its own, a zero value is as good as none.
    const least = field.presence === FeatureSet_FieldPresence.IMPLICIT ? VALUE : ZERO;
    return (writer, member) => one(writer, member, least);
  }

  #value(field: DescField): { readonly write: WriteValue; readonly wireType: number } {
    const name = field.toString();
    const found = field.scalar === undefined ? undefined : SCALARS[field.scalar];
    // Maps and lists of numbers, which are packed, are not needed here.
    const isList = field.fieldKind === 'list' && field.message === undefined && found?.wireType !== LENGTH_DELIMITED;
    if (field.fieldKind === 'map' || isList)
      throw new TypeError(`compile encoder: ${name} is a list of numbers or a map`);
    if (field.message !== undefined)
      return { write: onceForShared(ANY_FIELD, this.of(field.message)), wireType: LENGTH_DELIMITED };
    if (field.enum !== undefined) return { write: enumeration(field.enum.values), wireType: VARINT };
    if (found === undefined) throw new TypeError(`compile encoder: ${name} is of a kind that has no encoder`);
    return { write: found.write(name), wireType: found.wireType };
  }
}

/** Of bytes without their tag. */
const ANY_FIELD = 0;

/**
 * Of a part that many flows share (shared-part.ts) the bytes are kept, and written again.
 * @param tag of the field that `write` writes, ANY_FIELD when it writes no tag
 */
function onceForShared(tag: number, write: WriteValue): WriteValue {
  return (writer, value) => {
    const kept = typeof value === 'object' && value !== null ? keptWith(value) : undefined;
    if (kept === undefined) return write(writer, value);
    if (kept.tag === tag) {
      writer.bytes(kept.bytes);
      return VALUE;
    }
    const { length } = writer;
    const outcome = write(writer, value);
    if (outcome === VALUE) keepWith(value as object, tag, writer.since(length));
    return outcome;
  };
}

function enumeration(values: readonly { readonly name: string; readonly number: number }[]): WriteValue {
  const numbers = new Map<unknown, number>();
  for (const { name, number } of values) numbers.set(name, number).set(number, number);
  return (writer, value) => {
    const number = numbers.get(value);
    if (number === undefined) return UNTELLABLE;
    writer.varint(number);
    return number === 0 ? ZERO : VALUE;
  };
}
