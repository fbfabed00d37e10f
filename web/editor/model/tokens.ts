/** Where the parts of a YAML tree stand in its text: dashes, colons, and where what is written ends. */
import {
  type CST,
  isCollection,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';

/** A document that holds something which cannot be written to; the message is a sentence for a person. */
export class Unwritable extends Error {}

/** An item of a list, or a key with its value. */
export interface Place {
  /** Of the dash, or of the key. */
  readonly from: number;
  /** Behind the dash or the colon. */
  readonly valueFrom: number;
  /** Behind the last character that is written, comments and white space not counted. */
  readonly to: number;
  readonly key: string;
  readonly node: Node | null;
}

const PADDING = new Set(['space', 'newline', 'comment', 'comma']);

type Item = CST.BlockMap['items'][number] | CST.BlockSequence['items'][number] | CST.FlowCollection['items'][number];

function offsetOf(tokens: readonly CST.SourceToken[] | undefined, type: string): number | undefined {
  return tokens?.find((token) => token.type === type)?.offset;
}

export function placesOfMap(map: YAMLMap): Place[] {
  return map.items.map((pair) => placeOfPair(pair as Pair<Node, Node | null>));
}

function placeOfPair({ key, value, srcToken }: Pair<Node, Node | null>): Place {
  const item = srcToken as Item | undefined;
  const keyRange = key.range;
  if (item === undefined || !isScalar(key) || keyRange == null || 'then' in item)
    throw new Unwritable('a key is no plain text');
  const first = item.start.find(({ type }) => !PADDING.has(type))?.offset;
  const colon = offsetOf(item.sep ?? undefined, 'map-value-ind');
  const valueFrom = colon === undefined ? keyRange[1] : colon + 1;
  return {
    from: Math.min(first ?? keyRange[0], keyRange[0]),
    valueFrom,
    to: Math.max(valueFrom, endOf(value)),
    key: String(key.value),
    node: value,
  };
}

/** @param list in brackets, or in lines with dashes */
export function placesOfList(list: YAMLSeq): Place[] {
  const token = list.srcToken as CST.BlockSequence | CST.FlowCollection | undefined;
  if (token === undefined) throw new Unwritable('a list has no place');
  const items: Item[] =
    token.type === 'block-seq'
      ? token.items.filter(({ start }) => offsetOf(start, 'seq-item-ind') !== undefined)
      : token.items.filter(({ key, sep, value }) => key != null || sep !== undefined || value !== undefined);
  if (items.length !== list.items.length) throw new Unwritable('a list has items that cannot be told apart');
  return list.items.map((node, i) => placeOfItem(node as Node, items[i]));
}

function placeOfItem(node: Node, { start }: Item): Place {
  const dash = offsetOf(start, 'seq-item-ind');
  const from = dash ?? start.find(({ type }) => !PADDING.has(type))?.offset ?? node.range?.[0];
  if (from === undefined) throw new Unwritable('an item has no place');
  const valueFrom = dash === undefined ? from : dash + 1;
  return { from, valueFrom, to: Math.max(valueFrom, endOf(node)), key: '', node };
}

/** Where the text of a node ends; 0 when it has none. */
function endOf(node: Node | null | undefined): number {
  if (node == null || node.range == null) return 0;
  if (!isCollection(node) || node.flow === true || node.items.length === 0) return isEmpty(node) ? 0 : node.range[1];
  const places = isSeq(node) ? placesOfList(node) : placesOfMap(node);
  return places[places.length - 1].to;
}

/** A value that nothing stands for: `key:`. */
function isEmpty(node: Node): boolean {
  return isScalar(node) && node.range != null && node.range[0] === node.range[1] && node.type === Scalar.PLAIN;
}

/** A scalar whose text is on one line, and no empty one. */
export function isOneLine(node: Node | null, text: string): boolean {
  if (!isScalar(node) || node.range == null || isEmpty(node)) return false;
  const isBlock = node.type === Scalar.BLOCK_LITERAL || node.type === Scalar.BLOCK_FOLDED;
  return !isBlock && !text.slice(node.range[0], node.range[1]).includes('\n');
}
