/**
 * What stands in the query line: the filters of `sluice observe`, written as its flags in a shell, and words to search for.
 *
 *     --namespace shop --not --port 53 --since 10m timeout
 *
 *   1. `--flag value` or `--flag=value`, by the names and letters that observe takes; of one flag several are alternatives, different ones must
 *      all hold. `--not` turns the next flag round; flags with `--not` hide what matches all of them. So it is in observe.
 *   2. `--since`, `--until` (a moment, or how long ago) and `--last` (a number) bound what is shown.
 *   3. Any other word is searched for in what the table shows, upper and lower case alike; several must all be found, `--not word` must not.
 *      A word in quotes is text whatever it looks like: `'--verdict'`.
 *
 * Observe's meaning of flags is taken from hubble/filter and not written again, so the line and the command cannot come apart.
 */
import { FILTER_FLAGS, type FilterFlag } from '../../hubble/filter/observe-flags.ts';
import { type ObserveFilters, observeFilters } from '../../hubble/filter/observe-filter.ts';
import { parseMoment } from '../../hubble/time.ts';
import { quoteWord, splitWords, type Word } from './words.ts';

const MAX_CHARS = 8192;
const MAX_TERMS = 64;

/** A flag of observe with its value ('' for one that takes none), or a word to search for. */
export interface Term {
  readonly flag: string;
  readonly value: string;
  readonly isNot: boolean;
}

/** The flag of a term that is a word to search for. */
export const TEXT = 'text';

/** Flags that bound what is shown. */
export const RANGE_FLAGS: Readonly<Record<string, string>> = {
  since: 'from then on: 5m, 2026-01-31, RFC 3339, Unix seconds',
  until: 'up to then',
  last: 'the last so many',
};

export interface Query {
  readonly terms: readonly Term[];
  /** As written; '' = no bound. */
  readonly since: string;
  readonly until: string;
  /** Infinity: all. */
  readonly last: number;
  /** What its flags mean to the observer API: lists of FlowFilter. */
  readonly filters: ObserveFilters;
}

/** What is wrong with a query, and where. */
export class QueryError extends SyntaxError {
  override readonly name = 'QueryError';
  readonly from: number;
  readonly to: number;

  constructor(message: string, { from, to }: { readonly from: number; readonly to: number }) {
    super(message);
    this.from = from;
    this.to = to;
  }
}

interface Place {
  readonly from: number;
  readonly to: number;
}
interface PlacedTerm extends Term, Place {}

/** @throws QueryError */
export function parseQuery(text: string): Query {
  if (text.length > MAX_CHARS)
    throw new QueryError(`found ${text.length} characters, at most ${MAX_CHARS}`, { from: MAX_CHARS, to: text.length });
  const words = splitWords(text);
  const last = words.at(-1);
  if (last !== undefined && last.open !== '') throw new QueryError(`found no second ${last.open}`, last);
  const { terms, range } = new Reader(words).read();
  return {
    terms: terms.map(({ flag, value, isNot }) => ({ flag, value, isNot })),
    ...readRange(range),
    filters: filtersOf(terms),
  };
}

/** @returns the text of a query in its one form, which `parseQuery` reads back */
export function formatQuery({ terms, since, until, last }: Omit<Query, 'filters'>): string {
  const words = terms.map((term) => `${term.isNot ? '--not ' : ''}${termText(term)}`);
  if (since !== '') words.push(`--since ${quoteWord(since)}`);
  if (until !== '') words.push(`--until ${quoteWord(until)}`);
  if (last !== Number.POSITIVE_INFINITY) words.push(`--last ${last}`);
  return words.join(' ');
}

/** A term without its `--not`. */
export function termText({ flag, value }: Term): string {
  if (flag !== TEXT) return valueless(flag) ? `--${flag}` : `--${flag} ${quoteWord(value)}`;
  return value.startsWith('-') || likeFlag(value) !== undefined
    ? `'${value.replaceAll("'", "'\\''")}'`
    : quoteWord(value);
}

/** The text of a query out of flags: what views write into their links. */
export function queryTextOf(flags: readonly (readonly [string, string])[]): string {
  const terms = flags.map(([flag, value]) => ({ flag, value, isNot: false }));
  return formatQuery({ terms, since: '', until: '', last: Number.POSITIVE_INFINITY });
}

const BY_NAME: ReadonlyMap<string, FilterFlag> = new Map(
  FILTER_FLAGS.flatMap((flag) => [
    [`--${flag.name}`, flag],
    ...(flag.short === '' ? [] : [[`-${flag.short}`, flag] as const]),
  ]),
);

function valueless(name: string): boolean {
  return BY_NAME.get(`--${name}`)?.takesValue === false;
}

/** Takes words one after the other. */
class Reader {
  readonly #words: readonly Word[];
  #at = 0;
  readonly #terms: PlacedTerm[] = [];
  readonly #range = new Map<string, Word & { readonly value: string }>();

  constructor(words: readonly Word[]) {
    this.#words = words;
  }

  read(): { terms: readonly PlacedTerm[]; range: ReadonlyMap<string, Word & { readonly value: string }> } {
    let not: Word | undefined;
    while (this.#at < this.#words.length) {
      const word = this.#words[this.#at++];
      if (!word.isQuoted && word.text === '--not') {
        if (not !== undefined) throw new QueryError('found --not twice, wanted a filter after it', word);
        not = word;
      } else {
        this.#take(word, not);
        not = undefined;
      }
    }
    if (not !== undefined) throw new QueryError('found nothing after --not, wanted a filter or a word', not);
    return { terms: this.#terms, range: this.#range };
  }

  #take(word: Word, not: Word | undefined): void {
    const isNot = not !== undefined;
    if (word.isQuoted || !word.text.startsWith('-')) {
      this.#takeText(word, isNot);
      return;
    }
    const equals = word.text.indexOf('=');
    const name = equals < 0 ? word.text : word.text.slice(0, equals);
    const known = BY_NAME.get(name);
    const bound = name.slice(2);
    const isBound = name.startsWith('--') && Object.hasOwn(RANGE_FLAGS, bound);
    if (known === undefined && !isBound) throw new QueryError(`found ${name}, wanted ${nearest(name)}`, word);
    if (isBound && isNot) throw new QueryError(`found --not before ${name}, wanted a filter or a word after it`, word);
    const { value, to } = this.#valueOf(word, name, equals, known?.takesValue ?? true);
    if (isBound && this.#range.has(bound)) throw new QueryError(`found ${name} twice`, word);
    if (isBound) this.#range.set(bound, { ...word, to, value });
    else this.#add({ flag: known!.name, value, isNot, from: word.from, to });
  }

  #takeText({ text, isQuoted, from, to }: Word, isNot: boolean): void {
    const like = isQuoted ? undefined : likeFlag(text);
    if (like !== undefined)
      throw new QueryError(`found ${text}, wanted ${like} (or quotes, to search for it)`, { from, to });
    if (text !== '') this.#add({ flag: TEXT, value: text, isNot, from, to });
  }

  #add(term: PlacedTerm): void {
    if (this.#terms.length === MAX_TERMS) throw new QueryError(`found more than ${MAX_TERMS} filters and words`, term);
    this.#terms.push(term);
  }

  #valueOf(word: Word, name: string, equals: number, takesValue: boolean): { value: string; to: number } {
    if (!takesValue) {
      if (equals >= 0) throw new QueryError(`found a value of ${name}, which takes none`, word);
      return { value: '', to: word.to };
    }
    if (equals >= 0) return { value: word.text.slice(equals + 1), to: word.to };
    const next = this.#words[this.#at++];
    if (next === undefined) throw new QueryError(`found nothing after ${name}, wanted its value`, word);
    return { value: next.text, to: next.to };
  }
}

/** `!from:pod=web`, as Hubble UI has it, and `pod=web`: what it would be here. */
function likeFlag(text: string): string | undefined {
  const [, not, end = '', kind, value] = /^(!?)(?:(from|to):)?([a-z-]+)=(.*)$/s.exec(text) ?? [];
  if (kind === undefined) return undefined;
  const name = `${end === '' ? '' : `${end}-`}${kind === 'dns' ? 'fqdn' : kind}`;
  return BY_NAME.has(`--${name}`) ? `${not === '!' ? '--not ' : ''}--${name} ${quoteWord(value)}` : undefined;
}

/** A flag that was perhaps meant. */
function nearest(name: string): string {
  const bare = name.replace(/^-+/, '');
  const names = [...BY_NAME.keys(), ...Object.keys(RANGE_FLAGS).map((one) => `--${one}`)];
  const found = bare === '' ? undefined : names.find((one) => one.startsWith(`--${bare}`) || one.endsWith(`-${bare}`));
  return found === undefined ? 'a filter of observe, such as --pod, or a word' : `perhaps ${found}`;
}

function readRange(range: ReadonlyMap<string, Word & { readonly value: string }>) {
  const moment = (name: string): { text: string; ms: number } => {
    const bound = range.get(name);
    if (bound === undefined) return { text: '', ms: name === 'since' ? -Infinity : Infinity };
    try {
      return { text: bound.value, ms: parseMoment(bound.value, Date.now()) };
    } catch {
      throw new QueryError(`found ${bound.value}, wanted a moment such as 10m or 2026-01-31T08:00Z`, bound);
    }
  };
  const [since, until] = [moment('since'), moment('until')];
  if (since.ms > until.ms) throw new QueryError('found --since after --until', range.get('since')!);
  const last = range.get('last');
  if (last !== undefined && !/^[1-9]\d{0,8}$/.test(last.value))
    throw new QueryError(`found --last ${last.value}, wanted a number from 1 on`, last);
  return { since: since.text, until: until.text, last: last === undefined ? Infinity : Number(last.value) };
}

/**
 * Filters of terms. What hubble/filter complains of is said of the first term with which it complains. Values that only the compiler of filters
 * reads (addresses, patterns) the worker looks at, see compiled.ts: the page has that compiler, a third of its size, once.
 */
function filtersOf(terms: readonly PlacedTerm[]): ObserveFilters {
  const flags = terms.filter(({ flag }) => flag !== TEXT);
  try {
    return observeFilters(flagsOf(flags));
  } catch {
    for (let count = 1; count <= flags.length; count++) {
      try {
        observeFilters(flagsOf(flags.slice(0, count)));
      } catch (error) {
        throw new QueryError((error as Error).message, flags[count - 1]);
      }
    }
    throw new QueryError('the filters cannot be combined', { from: flags[0].from, to: flags.at(-1)!.to });
  }
}

/** Terms as a command line has them, less the words. */
export function flagsOf(terms: readonly Term[]): readonly (readonly [string, string])[] {
  return terms
    .filter(({ flag }) => flag !== TEXT)
    .flatMap(({ flag, value, isNot }) => [...(isNot ? [['not', ''] as const] : []), [flag, value] as const]);
}
