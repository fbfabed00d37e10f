/**
 * Compiles the texts of layouts.ts: one program for a version of a message, steps of STEP_WORDS words that body-reader.ts
 * and answers.ts carry out. Programs are made when a version is seen first, and kept.
 */
import { LEARNT_ANSWERS, MESSAGES, type MessageText } from './layouts.ts';

/** A step: its code; how many bytes, or what an array means; of an array: the step behind it; then one of the next two. */
export const STEP_WORDS = 4;
export const ARGUMENT = 1;
export const AFTER = 2;
/** Of an array and its end: the rank of its items. */
export const RANK = 3;
/** Of a step that rules judge: no other such step is behind it. */
export const IS_LAST = 3;

/** Letters of the texts are the codes of their steps. */
export const ARRAY = code('[');
export const END = code(']');
export const TAGS = code('#');
export const FIXED = code('b');
export const STRING = code('s');
export const BYTES = code('y');
export const TOPIC = code('T');
export const TOPIC_ID = code('U');
export const PARTITION = code('P');
export const GROUP = code('G');
export const RESOURCE_TYPE = code('C');
export const RESOURCE_NAME = code('K');
export const ACKS = code('A');
export const SESSION = code('X');
export const EPOCH = code('Z');
export const REST = code('~');
/** Only in answers. */
export const ERROR = code('E');
export const WHOLE_ERROR = code('D');
export const NULL_STRING = code('S');
export const MINUS = code('n');
export const BROKERS = code('B');
export const NULL_STRUCT = code('(');

/** Arguments of ARRAY: what null or nothing in it means, or how an answer fills it. */
export const PLAIN = 0;
const NULL_IS_ALL = 1;
export const EMPTY_IS_ALL = 2;
export const IS_NULL = 3;
/** An answer has an item for each that the request had of this rank: 4 + rank. */
export const REPEATED = 4;

/** Ranks of what answers repeat: groups have topics, topics have partitions. */
const RANK_GROUP = 0;
const RANK_TOPIC = 1;
const RANK_PARTITION = 2;

const FIXED_BYTES: { readonly [letter: string]: number } = { b: 1, h: 2, i: 4, l: 8, u: 16 };
const RANKS: { readonly [letter: string]: number } = {
  G: RANK_GROUP,
  T: RANK_TOPIC,
  U: RANK_TOPIC,
  K: RANK_TOPIC,
  P: RANK_PARTITION,
};
const JUDGED = /[TUK]|[MN][[{]/;

export interface Layout {
  readonly isFlexible: boolean;
  readonly steps: Int32Array;
}

function code(letter: string): number {
  return letter.charCodeAt(0);
}

interface Token {
  readonly letter: string;
  /** What stands before `[` or `(`. */
  readonly mark: string;
}

/** The tokens of a text that a version has. An array that it has not is left out with all that is in it. */
function tokensOf(text: string, version: number): Token[] {
  const tokens: Token[] = [];
  let depth = 0;
  let absentFrom = Number.POSITIVE_INFINITY; // depth of the array that is left out
  for (const [, mark, letter, range] of text.matchAll(/([?*MN]?)([a-zA-Z~#[\]{}(])(\d*(?:[+-]\d*)?)/g)) {
    if (letter === ']' || letter === '}') {
      if (depth < absentFrom) tokens.push({ letter, mark });
      if (--depth < absentFrom) absentFrom = Number.POSITIVE_INFINITY;
      continue;
    }
    const isHere = isWithin(range, version);
    if (letter === '[' || letter === '{') {
      depth++;
      if (!isHere) absentFrom = Math.min(absentFrom, depth);
    }
    if (isHere && depth < absentFrom) tokens.push({ letter, mark });
  }
  return tokens;
}

function isWithin(range: string, version: number): boolean {
  if (range === '') return true;
  const [, first, rest] = /^(\d*)(.*)$/.exec(range) as unknown as [string, string, string];
  return version >= Number(first) && (rest === '+' || version <= Number(rest === '' ? first : rest.slice(1)));
}

/** What an array is filled with by answers, or what it means in requests. */
function arrayArgument(mark: string, inside: readonly Token[]): number {
  if (mark === '*') return REPEATED + RANKS[inside.find(({ letter }) => letter in RANKS)?.letter ?? 'P'];
  return { '?': IS_NULL, N: NULL_IS_ALL, M: EMPTY_IS_ALL }[mark] ?? PLAIN;
}

/** The rank of the items of an array of a request: that of a letter of its own; -1 = answers do not repeat them. */
function rankOf(inside: readonly Token[]): number {
  let depth = 0;
  for (const { letter } of inside) {
    if (letter === '[' || letter === '{') depth++;
    else if (letter === ']' || letter === '}') depth--;
    else if (depth === 0 && letter in RANKS) return RANKS[letter];
    if (depth < 0) break;
  }
  return -1;
}

function compile(text: string, version: number, isFlexible: boolean): Layout {
  const tokens = tokensOf(text, version);
  const steps: number[][] = [];
  const open: number[] = [];
  const endStruct = (): void => {
    if (isFlexible && steps.at(-1)?.[0] !== REST) steps.push([TAGS, 0, 0, 0]);
  };
  tokens.forEach(({ letter, mark }, i) => {
    if (letter === '[' || letter === '{') {
      open.push(steps.length);
      const inside = tokens.slice(i + 1);
      steps.push([ARRAY, arrayArgument(mark, inside), 0, rankOf(inside)]);
    } else if (letter === ']' || letter === '}') {
      if (letter === ']') endStruct();
      const at = open.pop() as number;
      steps.push([END, at + 1, 0, steps[at][RANK]]);
      steps[at][AFTER] = steps.length;
    } else {
      const bytes = FIXED_BYTES[letter];
      const isLast = !tokens.slice(i + 1).some((next) => JUDGED.test(next.mark + next.letter));
      steps.push([bytes === undefined ? code(letter) : FIXED, bytes ?? 0, 0, isLast ? 1 : 0]);
    }
  });
  endStruct();
  return { isFlexible, steps: Int32Array.from(steps.flat()) };
}

/** One kind of message, by api key and version. */
class Layouts {
  readonly #texts: (apiKey: number) => string | undefined;
  readonly #known = new Map<number, Layout | undefined>();

  constructor(texts: (apiKey: number) => string | undefined) {
    this.#texts = texts;
  }

  /** Undefined when this version is not known. */
  of(apiKey: number, version: number): Layout | undefined {
    const name = (apiKey << 16) | version;
    if (this.#known.has(name)) return this.#known.get(name);
    const message = messageOf(apiKey);
    const text = this.#texts(apiKey);
    const isKnown = message !== undefined && text !== undefined && version >= 0 && version <= message.last;
    if (!isKnown) return undefined;
    const layout = compile(text, version, version >= message.flexible);
    this.#known.set(name, layout);
    return layout;
  }
}

export function messageOf(apiKey: number): MessageText | undefined {
  return Object.hasOwn(MESSAGES, apiKey) ? MESSAGES[apiKey] : undefined;
}

/** Whether the header of a request and of its answer has tagged fields (KIP-482); ApiVersions is answered without. */
export function isFlexible(apiKey: number, version: number): boolean {
  return version >= (messageOf(apiKey)?.flexible ?? 0);
}

export const REQUESTS: Layouts = new Layouts((apiKey) => messageOf(apiKey)?.request);
export const ANSWERS: Layouts = new Layouts((apiKey) => messageOf(apiKey)?.answer);
export const LEARNT: Layouts = new Layouts((apiKey) => LEARNT_ANSWERS[apiKey]);

export const EMPTY_LAYOUT: Layout = { isFlexible: false, steps: Int32Array.of(REST, 0, 0, 0) };
