/** Options of the page that the agent serves to browsers; a part of config/schema.ts. */
import { isLoopback, listenAddressProblem, readListenAddress } from './listen-address.ts';
import type { Option } from './option.ts';

/** All present. */
export interface UiSettings {
  readonly ui: boolean;
  /** Text of readListenAddress. */
  readonly 'ui-address': string;
  readonly 'ui-write': boolean;
  /** Paths; '' = without. */
  readonly 'ui-tls-cert': string;
  readonly 'ui-tls-key': string;
  readonly 'ui-token-file': string;
  /** In lower case. */
  readonly 'ui-hosts': readonly string[];
}

const absolutePath = (text: string) => (text.startsWith('/') ? undefined : 'an absolute path');
/** As a Host header has it, without a port. */
const hostName = (text: string) =>
  /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/.test(text) && text.length < 254
    ? undefined
    : 'a name in lower case, without a port';

/** What is wrong between the options: option and sentence. */
export function uiProblems(settings: UiSettings): [option: keyof UiSettings, problem: string][] {
  const { ui, 'ui-address': address, 'ui-tls-cert': cert, 'ui-tls-key': key, 'ui-token-file': token } = settings;
  const problems: [keyof UiSettings, string][] = [];
  if (cert === '' && key !== '') problems.push(['ui-tls-cert', 'found none, wanted one for ui-tls-key']);
  if (cert !== '' && key === '') problems.push(['ui-tls-key', 'found none, wanted one for ui-tls-cert']);
  const place = readListenAddress(address);
  if (ui && place === undefined) problems.push(['ui-address', 'found none, wanted an address and port for ui']);
  const wanted = 'wanted ui-tls-cert, ui-tls-key and ui-token-file with it: others than this machine reach it';
  if (place !== undefined && !isLoopback(place.host) && (cert === '' || token === ''))
    problems.push(['ui-address', `found ${address}, ${wanted}`]);
  if (settings['ui-write'] && token === '')
    problems.push([
      'ui-write',
      'found true, wanted ui-token-file with it: every user of this machine reaches the page',
    ]);
  return problems;
}

export const UI: Readonly<Record<keyof UiSettings, Option>> = {
  ui: { type: 'boolean', meaning: 'serve a page for browsers, see [ui](ui.md)', fallback: false },
  'ui-address': {
    type: 'string',
    meaning: 'where; others than loopback only with ui-tls-cert, ui-tls-key and ui-token-file',
    fallback: '127.0.0.1:12000',
    check: listenAddressProblem,
  },
  'ui-write': {
    type: 'boolean',
    meaning: 'the page may apply and delete objects; only with ui-token-file',
    fallback: false,
  },
  'ui-tls-cert': {
    type: 'string',
    meaning: 'certificate of ui-address, in PEM; followed as it changes',
    fallback: '',
    check: absolutePath,
  },
  'ui-tls-key': { type: 'string', meaning: 'its key', fallback: '', check: absolutePath },
  'ui-token-file': {
    type: 'string',
    meaning: 'what people have to know to see the page: a file with a line of at least 16 characters; followed',
    fallback: '',
    check: absolutePath,
  },
  'ui-hosts': {
    type: 'list',
    meaning: 'names that browsers may know this machine by, besides localhost and the address that they connect to',
    fallback: [],
    max: 16,
    check: hostName,
  },
};
