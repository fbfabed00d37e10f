/** Header blocks of the client written anew for the server, without any table. */
import type { HeaderEdits } from '../http/headers.ts';
import { latin1 } from '../http/headers.ts';
import type { FieldList } from './field-list.ts';
import type { FrameWriter } from './frame-writer.ts';

/** All fields, as they are. */
export function writeFields(into: FrameWriter, fields: FieldList): void {
  for (let i = 0; i < fields.count; i++) writeField(into, fields, i);
}

/** The fields without those that rules take out, and with those that they add. */
export function writeEdited(into: FrameWriter, fields: FieldList, edits: HeaderEdits): void {
  for (let i = 0; i < fields.count; i++) {
    const name = latin1(fields.bytes, fields.nameStart[i], fields.nameEnd[i]);
    if (!edits.remove.has(name)) writeField(into, fields, i);
  }
  for (const line of edits.add) {
    const colon = line.indexOf(':');
    into.textField(line.slice(0, colon), line.slice(colon + 1).trim());
  }
}

function writeField(into: FrameWriter, fields: FieldList, i: number): void {
  const { bytes, nameStart, nameEnd, valueStart, valueEnd, isNeverIndexed } = fields;
  into.field(bytes, nameStart[i], nameEnd[i], valueStart[i], valueEnd[i], isNeverIndexed[i] === 1);
}
