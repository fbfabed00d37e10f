/**
 * What the editor has open. It outlives the view, so that one can look at the map and come back.
 *
 * The text is the truth; the drawing is read from it after each change, and a click on the drawing writes to the text. While the
 * text has mistakes the last drawing stays, and cannot be changed. Lines end in the text area as the browser wants it; what they
 * ended with is put back when the text leaves.
 */
import { batch, computed, type ReadonlySignal, signal } from '@preact/signals';
import { notify } from '../shell/notices.tsx';
import { asWritten, change, convert, documentsText, type Patched, patched } from './model/changes.ts';
import { type Drawing, drawingOf, type Kind } from './model/drawing.ts';
import type { Edit } from './model/edits.ts';
import { History } from './model/history.ts';
import { type OpenText, openText } from './model/policy-text.ts';
import { markOfLines, unixLines, withLineEnds } from './model/line-ends.ts';
import type { Refused, Written } from './model/writing.ts';

/** Where a policy came from, for the title and for what replaces it. */
interface Origin {
  /** `Kind/namespace/name`; '' for one that is new. */
  readonly policy: string;
  readonly title: string;
}

let history = new History('');
let lineEnds = markOfLines('');

const current = signal('');
const steps = signal({ canUndo: false, canRedo: false });
const source = signal<Origin>({ policy: '', title: '' });
const index = signal(0);

export const text: ReadonlySignal<string> = current;
export const undoable: ReadonlySignal<{ readonly canUndo: boolean; readonly canRedo: boolean }> = steps;
export const origin: ReadonlySignal<Origin> = source;

/** The text as it was opened, to tell whether there is something to lose. */
const opened = signal('');
export const isChanged = computed(() => current.value !== opened.value);

/** The text that is read: that of a moment ago when it is long and somebody types. */
const read = signal('');
let reading: ReturnType<typeof setTimeout> | undefined;

/** Longer texts are read when the keys pause. */
const READ_AT_ONCE_MAX = 32_768; // characters
const READ_PAUSE_MS = 250;

export const open = computed<OpenText>(() => openText(read.value));

/** Has the text read that is there now: before anything is written to it. */
function readNow(): void {
  clearTimeout(reading);
  read.value = current.value;
}

const BEHIND = 'the text had changed: look at the drawing, and try again';

/** Whether the drawing was of an earlier text; it is of this one from now on. */
function isBehind(): boolean {
  const was = read.value !== current.value;
  readNow();
  return was;
}

/** A policy of the text; its place among the documents is what edits are told by. */
export interface Drawn {
  readonly index: number;
  readonly drawing: Drawing;
}

let last: readonly Drawn[] = [];

/** What is drawn: of the text as it is, or as it was before the mistakes that it has. */
export const drawn = computed<{ readonly policies: readonly Drawn[]; readonly isCurrent: boolean }>(() => {
  const { documents, problems } = open.value;
  const policies = documents.flatMap(({ value }, at): Drawn[] => {
    const drawing = drawingOf(value);
    return drawing === undefined ? [] : [{ index: at, drawing }];
  });
  const isCurrent = problems.length === 0;
  if (isCurrent) last = policies;
  return { policies: isCurrent ? policies : last, isCurrent };
});

/** The policy that is drawn, of several. */
export const chosen = computed<Drawn | undefined>(() => {
  const { policies } = drawn.value;
  return policies.find((one) => one.index === index.value) ?? policies[0];
});

export function choose(at: number): void {
  index.value = at;
}

/** Opens a text in place of the one that is there. */
export function openInEditor(fresh: string, from: Origin): void {
  lineEnds = markOfLines(fresh);
  history = new History(unixLines(fresh));
  last = [];
  batch(() => {
    source.value = from;
    index.value = 0;
    opened.value = history.text;
    show();
  });
}

/** Nothing is open any more. */
export function close(): void {
  openInEditor('', { policy: '', title: '' });
}

function show(isReadLater = false): void {
  batch(() => {
    current.value = history.text;
    clearTimeout(reading);
    if (isReadLater) reading = setTimeout(readNow, READ_PAUSE_MS);
    else readNow();
    steps.value = { canUndo: history.canUndo, canRedo: history.canRedo };
  });
}

/** What a person types. */
export function type(fresh: string): void {
  history.type(fresh, Date.now());
  show(fresh.length > READ_AT_ONCE_MAX);
}

/** A new text that is one step for undo. */
export function put(fresh: string): void {
  history.put(unixLines(fresh));
  show();
}

export function undo(): void {
  history.undo();
  show();
}

export function redo(): void {
  history.redo();
  show();
}

/** Makes an edit in the policy that is drawn. @returns why not; '' when it is made */
export function edit(what: Edit): string {
  if (isBehind()) return BEHIND;
  return written(chosen.value === undefined ? undefined : change(open.value, chosen.value.index, what));
}

export function become(kind: Kind): string {
  if (isBehind()) return BEHIND;
  return written(chosen.value === undefined ? undefined : convert(open.value, chosen.value.index, kind));
}

function written(result: Written | Refused | undefined): string {
  if (result === undefined) return 'no policy is drawn';
  if ('refused' in result) return result.refused;
  put(result.text);
  return '';
}

/**
 * Takes policies as they are to be, of a repair: into the text that is open, or as a text of their own.
 * @returns why not; '' when they are taken
 */
export function take(patches: readonly Patched[]): string {
  readNow();
  if (source.value.title !== '') return written(patched(open.value, patches));
  const [{ name }] = patches;
  openInEditor(documentsText(patches.map(({ after }) => asWritten(after))), { policy: name, title: name });
  return '';
}

/** Makes an edit that a click asks for; why not is told in the corner. */
export function click(what: Edit): void {
  const refusal = edit(what);
  if (refusal !== '') notify(refusal, true);
}

/** The text as it leaves, with the line ends that it came with. */
export function leaving(): string {
  return withLineEnds(current.value, lineEnds);
}

/** The page's memory is short: what was applied is what there is to lose nothing of. */
export function saved(): void {
  opened.value = current.value;
}
