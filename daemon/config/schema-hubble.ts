/** Options of the observatory, with Cilium's names without the `hubble-` before them; a part of config/schema.ts. */
import { isLoopback, listenAddressProblem, readListenAddress } from './listen-address.ts';
import type { Option } from './option.ts';
import type { RedactSettings } from '../../hubble/decode/redact.ts';
import { REDACT } from './schema-hubble-redact.ts';
import { ANOMALIES, type AnomalySettings } from './schema-hubble-anomalies.ts';
import { EXPORT, type ExportOptions } from './schema-hubble-export.ts';
import { HISTORY, type HistorySettings } from './schema-hubble-history.ts';
import { METRICS, metricsProblem, type MetricsSettings } from './schema-hubble-metrics.ts';

/** Of `hubble`, all present. */
export interface HubbleSettings extends ExportOptions, MetricsSettings {
  /** false: no observatory, and the dataplane tells nothing. */
  readonly enabled: boolean;
  readonly 'event-buffer-capacity': number;
  readonly history: HistorySettings;
  readonly anomalies: AnomalySettings;
  readonly redact: RedactSettings;
  /** Texts of readListenAddress; none = only the unix socket. */
  readonly 'listen-address': readonly string[];
  readonly 'disable-tls': boolean;
  /** Paths; '' and none = without TLS. */
  readonly 'tls-cert-file': string;
  readonly 'tls-key-file': string;
  readonly 'tls-client-ca-files': readonly string[];
}

const absolutePath = (text: string) => (text.startsWith('/') ? undefined : 'an absolute path');

/** What is wrong between the options: option and sentence. */
export function hubbleProblems(settings: HubbleSettings): [option: keyof HubbleSettings, problem: string][] {
  const { 'event-buffer-capacity': flows, 'tls-cert-file': cert, 'tls-key-file': key } = settings;
  const problems: [keyof HubbleSettings, string][] = [];
  const metrics = metricsProblem(settings.metrics);
  if (metrics !== undefined) problems.push(['metrics', metrics]);
  if ((flows & (flows + 1)) !== 0) problems.push(['event-buffer-capacity', `found ${flows}, wanted 2^n - 1`]);
  if (cert === '' && key !== '') problems.push(['tls-cert-file', 'found none, wanted one for tls-key-file']);
  if (cert !== '' && key === '') problems.push(['tls-key-file', 'found none, wanted one for tls-cert-file']);
  if (cert === '' && settings['tls-client-ca-files'].length > 0)
    problems.push(['tls-client-ca-files', 'found some, wanted tls-cert-file and tls-key-file as well']);
  if (cert !== '' && settings['disable-tls'])
    problems.push(['disable-tls', 'found true, wanted false or no tls-cert-file']);
  for (const text of settings['listen-address']) {
    const { host = '' } = readListenAddress(text) ?? {};
    if (cert === '' && !settings['disable-tls'] && !isLoopback(host))
      problems.push([
        'listen-address',
        `found ${text}, wanted tls-cert-file and tls-key-file with it, or disable-tls: true`,
      ]);
  }
  const { 'http-headers-allow': allow, 'http-headers-deny': deny } = settings.redact;
  if (allow.length > 0 && deny.length > 0)
    problems.push(['redact', 'found http-headers-allow and http-headers-deny, wanted one of them']);
  return problems;
}

export const HUBBLE: Readonly<Record<keyof HubbleSettings, Option>> = {
  enabled: {
    type: 'boolean',
    meaning:
      'tell flows; false: the dataplane tells nothing and the observatory does not run, see [observability](observability.md#switched-off)',
    fallback: true,
  },
  'event-buffer-capacity': {
    type: 'integer',
    meaning: 'flows kept in memory for observe (2^n - 1)',
    fallback: 4095,
    min: 15,
    max: 65535,
  },
  ...EXPORT,
  history: {
    type: 'map',
    meaning: 'flows kept on disk, see [observability](observability.md#history)',
    options: HISTORY,
  },
  anomalies: {
    type: 'map',
    meaning: 'what looks like an attack or a fault is told, see [observability](observability.md#anomalies)',
    options: ANOMALIES,
  },
  redact: {
    type: 'map',
    meaning: 'what of L7 flows is hidden, see [observability](observability.md#redaction)',
    options: REDACT,
  },
  'listen-address': {
    type: 'list',
    meaning: 'where the API of flows is served besides the unix socket, such as 127.0.0.1:4245 or :4244',
    fallback: [],
    max: 8,
    check: listenAddressProblem,
  },
  'disable-tls': {
    type: 'boolean',
    meaning: 'let addresses of listen-address that others reach be without TLS',
    fallback: false,
  },
  'tls-cert-file': {
    type: 'string',
    meaning: 'certificate of listen-address, in PEM; followed as it changes',
    fallback: '',
    check: absolutePath,
  },
  'tls-key-file': {
    type: 'string',
    meaning: 'its key',
    fallback: '',
    check: absolutePath,
  },
  'tls-client-ca-files': {
    type: 'list',
    meaning:
      'authorities, one of which must have signed the certificate of a client; none: clients need no certificate',
    fallback: [],
    max: 16,
    check: absolutePath,
  },
  ...METRICS,
};
