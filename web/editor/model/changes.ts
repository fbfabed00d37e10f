/** Edits of an open text: the new text, or why there is none. */
import { stringify } from 'yaml';
import { converted } from './conversion.ts';
import { drawingOf, type Kind } from './drawing.ts';
import { type Edit, edited, Unsayable } from './edits.ts';
import { type OpenText, openText } from './policy-text.ts';
import { fieldOf, type Fields, fieldsOf, without } from './values.ts';
import { write, type Refused, type Written } from './writing.ts';

/** Makes one edit in one of the documents. @throws nothing */
export function change(open: OpenText, index: number, edit: Edit): Written | Refused {
  return changed(open, index, (value) => edited(value, edit), edit.do === 'turn-entry' || edit.do === 'set-peer');
}

/** Makes a document one of another kind. @throws nothing */
export function convert(open: OpenText, index: number, kind: Kind): Written | Refused {
  return changed(open, index, (value) => converted(value, kind), true);
}

function changed(open: OpenText, index: number, to: (value: unknown) => unknown, isMove: boolean): Written | Refused {
  const document = open.documents[index] as OpenText['documents'][number] | undefined;
  if (document?.value === undefined) return { refused: 'the text has mistakes: mend them first' };
  try {
    return write(open, index, to(document.value), isMove);
  } catch (error) {
    if (error instanceof Unsayable) return { refused: error.message };
    throw error;
  }
}

/** The text with one more document behind it. */
export function withDocument(text: string, fresh: string): string {
  if (text.trim() === '') return fresh;
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  return `${text}${text.endsWith('\n') ? '' : newline}---${newline}${fresh.replaceAll('\n', newline)}`;
}

/** A policy as it is to be, whether the text has it or not. */
export interface Patched {
  /** `Kind/namespace/name`. */
  readonly name: string;
  readonly after: object;
}

/** Puts policies into a text: in place of those of the same name, which keep their comments, or beneath. @throws nothing */
export function patched(open: OpenText, patches: readonly Patched[]): Written | Refused {
  let text = open.text;
  for (const { name, after } of patches) {
    const now = openText(text);
    const index = now.documents.findIndex(({ value }) => nameOf(value) === name);
    const result =
      index < 0
        ? { text: withDocument(text, documentsText([asWritten(after)])) }
        : write(now, index, as(now.documents[index].value, after));
    if ('refused' in result) return result;
    text = result.text;
  }
  return { text };
}

function nameOf(value: unknown): string | undefined {
  const drawing = drawingOf(value);
  return drawing === undefined
    ? undefined
    : [drawing.kind, drawing.namespace, drawing.name].filter((one) => one !== '').join('/');
}

/** What is said of a policy is changed, not what it is called by: the agent adds to its metadata. */
function as(value: unknown, after: object): object {
  return { ...asWritten(after), metadata: fieldOf(value, 'metadata') };
}

/** Puts the annotation of a trial to some documents, all or none. @throws nothing */
export function onTrial(open: OpenText, indices: readonly number[]): Written | Refused {
  let result: Written | Refused = { text: open.text };
  for (const index of indices) {
    result = change('text' in result ? openText(result.text) : open, index, { do: 'audit', isOn: true });
    if ('refused' in result) return result;
  }
  return result;
}

/** Objects as YAML, one document each. */
export function documentsText(objects: readonly object[]): string {
  return objects.map((one) => stringify(one, { lineWidth: 0, aliasDuplicateObjects: false })).join('---\n');
}

/** What the agent and a cluster write into an object, and a person does not. */
const GIVEN = ['creationTimestamp', 'uid', 'resourceVersion', 'generation', 'managedFields', 'selfLink'];

/** An object in force as one would write it. */
export function asWritten(object: object): object {
  const rest = without(object as Fields, 'status');
  return { ...rest, metadata: without(fieldsOf(rest['metadata']), ...GIVEN) };
}
