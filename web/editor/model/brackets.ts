/**
 * Maps and lists in brackets, `{ a: 1, b: [2] }` or JSON, with another value. What stands before an item, white space and comments,
 * is its lead, and stays with it; the comments of an item that goes are given to the next.
 */
import { isCollection, isMap, isScalar, isSeq, type Node, type YAMLMap, type YAMLSeq } from 'yaml';
import { aligned } from './alignment.ts';
import { inline, sameQuotes, type Style } from './emission.ts';
import { type Place, placesOfList, placesOfMap } from './tokens.ts';
import { fieldOf, isFields, isSame, itemsOf } from './values.ts';

interface Piece {
  lead: string;
  readonly text: string;
}

/** The text of a map or list in brackets once it has another value. */
export function bracketsText(
  text: string,
  node: YAMLMap | YAMLSeq,
  old: unknown,
  wanted: unknown,
  style: Style,
): string {
  const [from, to] = node.range as [number, number, number];
  const places = isMap(node) ? placesOfMap(node) : placesOfList(node);
  const leads = places.map((place, i) => leadOf(text, i === 0 ? from + 1 : places[i - 1].to, place.from));
  const tail = leadOf(text, places[places.length - 1].to, to - 1);
  const changes = isMap(node) ? changesOfMap(places, old, wanted) : changesOfList(old, wanted);
  const pieces: Piece[] = [];
  let carried = '';
  for (const { place, key, value, isGone } of changes) {
    const own = place === undefined ? undefined : leads[place];
    if (isGone) {
      if (own?.includes('#') === true) carried += own;
      else if (pieces.length === 0 && carried === '') carried = own ?? '';
      continue;
    }
    const piece =
      place === undefined
        ? { lead: freshLead(leads, pieces.length, style), text: freshText(key, value, style) }
        : { lead: own ?? '', text: pieceText(text, places[place], value, style) };
    if (carried !== '') piece.lead = carried.includes('#') ? carried + piece.lead.trimStart() : carried;
    carried = '';
    pieces.push(piece);
  }
  const closing = closingOf(pieces, changes, carried.includes('#') ? carried + tail.trimStart() : tail);
  return text[from] + joined(pieces, leads, style) + closing + text[to - 1];
}

/** What stands before the bracket; a comment beside what was the last item stays beside it. */
function closingOf(pieces: readonly Piece[], changes: readonly Change[], tail: string): string {
  const last = pieces[pieces.length - 1];
  if (changes[changes.length - 1].place !== undefined || !tail.includes('#')) return tail;
  const firstFresh = changes.filter(({ place }) => place === undefined).length;
  const first = pieces[pieces.length - firstFresh] ?? last;
  const end = lastLine(tail);
  first.lead =
    tail.slice(0, tail.length - end.length) + (first.lead.includes('\n') ? first.lead : `${end}${first.lead}`);
  return end;
}

/** Between two items, less the comma between them. */
function leadOf(text: string, from: number, to: number): string {
  return text.slice(from, to).replace(/^([^#,]*),/, '$1');
}

interface Change {
  /** Which of the old items; undefined for a new one. */
  readonly place: number | undefined;
  readonly key: string;
  readonly value: Changed | undefined;
  readonly isGone: boolean;
}

interface Changed {
  readonly old: unknown;
  readonly wanted: unknown;
}

function changesOfMap(places: readonly Place[], old: unknown, wanted: unknown): Change[] {
  const changes = places.map(({ key }, place): Change => {
    const value = { old: fieldOf(old, key), wanted: fieldOf(wanted, key) };
    return { place, key, value, isGone: value.wanted === undefined };
  });
  const own = new Set(places.map(({ key }) => key));
  for (const [key, value] of Object.entries(wanted as object))
    if (!own.has(key) && !isSame(fieldOf(old, key), value))
      changes.push({ place: undefined, key, value: { old: undefined, wanted: value }, isGone: false });
  return changes;
}

function changesOfList(old: unknown, wanted: unknown): Change[] {
  const [before, after] = [itemsOf(old), itemsOf(wanted)];
  return aligned(before, after).map(({ old: place, fresh }) => ({
    place,
    key: '',
    value:
      fresh === undefined ? undefined : { old: place === undefined ? undefined : before[place], wanted: after[fresh] },
    isGone: fresh === undefined,
  }));
}

function freshText(key: string, value: Changed | undefined, style: Style): string {
  const wanted = value?.wanted;
  return key === ''
    ? inline(wanted, style)
    : inline({ [key]: wanted }, style)
        .slice(1, -1)
        .trim();
}

/** An item that was there: its own text, but for what changed in it. */
function pieceText(text: string, place: Place, value: Changed | undefined, style: Style): string {
  const { from, valueFrom, to, node, key } = place;
  if (value === undefined || isSame(value.old, value.wanted)) return text.slice(from, to);
  if (node?.range == null || valueFrom === to) return freshText(key, value, style);
  return text.slice(from, node.range[0]) + nodeText(text, node, value, style);
}

function nodeText(text: string, node: Node, { old, wanted }: Changed, style: Style): string {
  if (isScalar(node) && (typeof wanted !== 'object' || wanted === null)) return sameQuotes(node, wanted, style);
  const isBoth = (isMap(node) && isFields(wanted)) || (isSeq(node) && Array.isArray(wanted));
  if (isBoth && isCollection(node) && node.items.length > 0 && Object.keys(wanted as object).length > 0)
    return bracketsText(text, node, old, wanted, style);
  return inline(wanted, style);
}

/** As before the items that are there: on a line of its own, or on theirs. */
function freshLead(leads: readonly string[], at: number, { mapPadding }: Style): string {
  const model = leads.find((lead) => lead.includes('\n')) ?? leads[Math.min(at, leads.length - 1)];
  if (model.includes('\n')) return lastLine(model);
  return at === 0 ? leads[0] : mapPadding === '' && leads.length > 1 ? leads[1] : ' ';
}

/** The last line end of a text, with what follows it. */
function lastLine(text: string): string {
  return /\r?\n[^\n]*$/.exec(text)?.[0] ?? '';
}

function joined(pieces: readonly Piece[], leads: readonly string[], style: Style): string {
  return pieces
    .map(({ lead, text }, i) => {
      if (i === 0) return lead + text;
      // The first one may have been written close to its bracket, and is now behind a comma.
      const isClose = lead === '' && leads[0] === '' && !style.isJson;
      return `,${isClose ? ' ' : lead}${text}`;
    })
    .join('');
}
