/**
 * What could come next in the query line: flags, and their values as far as the agent or hubble/filter knows them. A word that is no flag is
 * looked up everywhere: `web` offers the pods, namespaces and labels with "web" in them, and the flags.
 */
import { FILTER_FLAGS, type FilterFlag } from '../../hubble/filter/observe-flags.ts';
import { RESERVED_NAMES } from '../../wire/identities.ts';
import { REASONS } from '../../wire/reasons.ts';
import { RANGE_FLAGS } from './query.ts';
import { quoteWord, splitWords } from './words.ts';

const MAX_OFFERS = 40;

/** Names that the agent told of, by the flag (less from- and to-) whose values they are. */
export type KnownValues = Readonly<Partial<Record<string, readonly string[]>>>;

export interface Offer {
  /** What is put in the place of what is typed. */
  readonly insert: string;
  readonly says: string;
}

export interface Completion {
  /** The part of the line that an offer replaces. */
  readonly from: number;
  readonly to: number;
  readonly offers: readonly Offer[];
}

/** Values that do not depend on the agent, beyond those that the flags tell. */
const FIXED: KnownValues = {
  'drop-reason-desc': Object.entries(REASONS)
    .filter(([number]) => Number(number) >= 130)
    .map(([, { name }]) => name),
  protocol: ['tcp', 'udp', 'sctp', 'icmp', 'icmpv4', 'icmpv6', 'http', 'dns', 'kafka', 'tls', 'igmp', 'vrrp'],
  'tcp-flags': ['SYN', 'FIN', 'RST', 'PSH', 'ACK', 'URG'],
  'http-method': ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS'],
  'http-status': ['2+', '3+', '4+', '5+'],
  identity: RESERVED_NAMES.filter((name) => name !== 'unknown'),
  since: ['1m', '5m', '15m', '1h', '6h', '24h'],
  until: ['1m', '5m', '15m', '1h', '6h', '24h'],
  last: ['20', '100', '1000'],
};

/** Flags that most look for, first. */
const FIRST = [
  'namespace',
  'pod',
  'verdict',
  'port',
  'label',
  'not',
  'protocol',
  'drop-reason-desc',
  'since',
  'from-pod',
  'to-pod',
];

interface Named {
  readonly name: string;
  readonly says: string;
  readonly takesValue: boolean;
}

const FLAGS: readonly Named[] = [
  ...FILTER_FLAGS,
  ...Object.entries(RANGE_FLAGS).map(([name, says]) => ({ name, says, takesValue: true })),
]
  .map((flag) => ({ flag, rank: FIRST.indexOf(flag.name) }))
  .sort((a, b) => (a.rank < 0 ? FIRST.length : a.rank) - (b.rank < 0 ? FIRST.length : b.rank))
  .map(({ flag }) => flag);

/** @param cursor where letters go that are typed now */
export function complete(line: string, cursor: number, known: KnownValues): Completion {
  const words = splitWords(line.slice(0, cursor));
  const typed = words.at(-1)?.to === cursor ? words.at(-1) : undefined;
  const before = words.at(typed === undefined ? -1 : -2);
  const from = typed?.from ?? cursor;
  // The rest of the word that the cursor stands in goes as well.
  const to = cursor + (/^[^\s"'\\]*/.exec(line.slice(cursor))?.[0].length ?? 0);
  const text = typed?.text ?? '';
  const awaiting = before === undefined || before.isQuoted ? undefined : valueFlag(before.text, words, before.from);
  if (awaiting !== undefined) return { from, to, offers: valueOffers(awaiting, text, known, '') };
  const [, name, value] = /^--([a-z0-9-]+)=(.*)$/s.exec(text) ?? [];
  if (name !== undefined && typed?.isQuoted === false)
    return { from, to, offers: valueOffers(name, value, known, `--${name}=`) };
  if (typed?.isQuoted === true) return { from, to, offers: [] };
  return { from, to, offers: [...flagOffers(text), ...namedOffers(text, known)].slice(0, MAX_OFFERS) };
}

/** The flag whose value comes after the word, if it is one and is no value itself. */
function valueFlag(word: string, words: readonly { readonly text: string; readonly from: number }[], at: number) {
  const found = (text: string): Named | FilterFlag | undefined =>
    FLAGS.find(({ name }) => text === `--${name}`) ??
    FILTER_FLAGS.find(({ short }) => short !== '' && text === `-${short}`);
  let isValue = false;
  for (const { text, from } of words) {
    if (from === at) break;
    isValue = !isValue && found(text)?.takesValue === true;
  }
  const flag = isValue ? undefined : found(word);
  return flag?.takesValue === true ? flag.name : undefined;
}

function flagOffers(text: string): Offer[] {
  const typed = text.replace(/^-+/, '');
  return FLAGS.filter(({ name }) => (text.startsWith('-') ? name.startsWith(typed) : name.includes(typed))).map(
    ({ name, says, takesValue }) => ({ insert: `--${name} `, says: takesValue ? says : `${says} (no value)` }),
  );
}

function valuesOf(flag: string, known: KnownValues): readonly string[] {
  const bare = flag.replace(/^(?:from|to)-/, '');
  const told = FILTER_FLAGS.find(({ name }) => name === flag)?.values ?? [];
  return [...new Set([...told, ...(FIXED[bare] ?? []), ...(known[bare] ?? [])])];
}

function valueOffers(flag: string, text: string, known: KnownValues, prefix: string): Offer[] {
  const typed = text.toLowerCase();
  const found = valuesOf(flag, known).filter((value) => value.toLowerCase().includes(typed));
  const begins = (value: string) => (value.toLowerCase().startsWith(typed) ? 0 : 1);
  return found
    .sort((a, b) => begins(a) - begins(b))
    .slice(0, MAX_OFFERS)
    .map((value) => ({ insert: `${prefix}${quoteWord(value)} `, says: `--${flag}` }));
}

/** A word that is no flag, as a value of those flags that have names of the agent's. */
function namedOffers(text: string, known: KnownValues): Offer[] {
  if (text.length < 2 || text.startsWith('-')) return [];
  return Object.keys(known).flatMap((flag) =>
    valueOffers(flag, text, known, '').map(({ insert }) => ({
      insert: `--${flag} ${insert}`,
      says: `only this ${flag}`,
    })),
  );
}
