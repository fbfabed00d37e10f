/** Queries and flows as command lines to paste into a terminal, and command lines that were pasted as queries. */
import type { FlowFilter } from '../../hubble/filter/flow-filter.ts';
import type { Flow } from '../../hubble/flow.ts';
import { formatQuery, type Query, TEXT, type Term } from './query.ts';
import { termsOfFilters } from './terms-of-filters.ts';
import { quoteWord, splitWords } from './words.ts';

/** The command that shows in a terminal what the page shows. Words are what `grep` is for. */
export function observeCommand(query: Omit<Query, 'filters'>): string {
  const { terms, since, until, last } = query;
  const flags = formatQuery({ ...query, terms: terms.filter(({ flag }) => flag !== TEXT) });
  const isBound = since !== '' || until !== '' || last !== Number.POSITIVE_INFINITY;
  const greps = terms
    .filter(({ flag }) => flag === TEXT)
    .map(({ value, isNot }) => ` | grep -iF${isNot ? 'v' : ''} -- ${quoteWord(value)}`);
  return `sluice observe${isBound ? '' : ' -f'}${flags === '' ? '' : ` ${flags}`}${greps.join('')}`;
}

/** Flags that choose flows like this one: between the same two, by the same protocol to the same port, with the same verdict. */
export function flagsLike(flow: Flow): readonly (readonly [string, string])[] {
  const isReply = flow.is_reply === true;
  const [client, server] = isReply ? (['to', 'from'] as const) : (['from', 'to'] as const);
  const { TCP, UDP, SCTP, ICMPv4, ICMPv6 } = flow.l4 ?? {};
  const ports = TCP ?? UDP ?? SCTP;
  const port = isReply ? ports?.source_port : ports?.destination_port;
  const protocol = TCP ? 'tcp' : UDP ? 'udp' : SCTP ? 'sctp' : (ICMPv4 ?? ICMPv6) ? 'icmp' : undefined;
  return [
    ...endOf(client, flow),
    ...endOf(server, flow),
    ...(protocol === undefined ? [] : [['protocol', protocol] as const]),
    ...(port === undefined ? [] : [[`${server}-port`, String(port)] as const]),
    ['verdict', flow.verdict],
  ];
}

function endOf(end: 'from' | 'to', flow: Flow): readonly (readonly [string, string])[] {
  const { namespace, pod_name: pod } = end === 'from' ? flow.source : flow.destination;
  const ip = end === 'from' ? flow.IP?.source : flow.IP?.destination;
  if (pod !== undefined) return [[`${end}-pod`, `${namespace ?? 'default'}/${pod}`]];
  return ip === undefined ? [] : [[`${end}-ip`, ip]];
}

/**
 * What somebody pasted into an empty line: a command (`sluice observe ...`), or filters as `--print-raw-filters` prints them.
 * @returns the query's text; undefined when it is neither
 */
export function pastedQuery(text: string): string | undefined {
  const trimmed = text.trim();
  const command = /^(?:\$ |# )?(?:sudo )?(?:\S*\/)?(?:sluice|hubble) observe(?:\s+([^]*))?$/.exec(trimmed);
  if (command !== null) return withoutFollow(command[1] ?? '');
  if (!trimmed.startsWith('{')) return undefined;
  try {
    const terms = termsOfRaw(JSON.parse(trimmed) as object);
    return terms && formatQuery({ terms, since: '', until: '', last: Number.POSITIVE_INFINITY });
  } catch {
    return undefined;
  }
}

/** The page follows anyway. */
function withoutFollow(flags: string): string {
  const follow = splitWords(flags).find(({ text, isQuoted }) => !isQuoted && (text === '-f' || text === '--follow'));
  return follow === undefined ? flags : `${flags.slice(0, follow.from)}${flags.slice(follow.to)}`.trim();
}

function termsOfRaw(value: object): readonly Term[] | undefined {
  const { allowlist = [], denylist = [] } = value as { readonly allowlist?: unknown; readonly denylist?: unknown };
  const areFilters = (list: unknown): list is FlowFilter[] =>
    Array.isArray(list) && list.every((one) => typeof one === 'object' && one !== null && !Array.isArray(one));
  if (!('allowlist' in value || 'denylist' in value) || !areFilters(allowlist) || !areFilters(denylist))
    return undefined;
  return termsOfFilters({ allow: allowlist, deny: denylist });
}
