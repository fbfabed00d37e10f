/** Options under `hubble.redact`, with Cilium's names without the `hubble-redact-` before them; a part of config/schema.ts. */
import { NO_REDACTION, type RedactSettings } from '../../hubble/decode/redact.ts';
import type { Option } from './option.ts';

const headerName = (text: string) => (/^[!#$%&'*+\-.^_`|~0-9a-z]+$/i.test(text) ? undefined : 'the name of a header');

const flag = (name: keyof RedactSettings, meaning: string): Option => ({
  type: 'boolean',
  meaning,
  fallback: NO_REDACTION[name],
});

const headers = (meaning: string): Option => ({ type: 'list', meaning, fallback: [], max: 256, check: headerName });

export const REDACT: Readonly<Record<keyof RedactSettings, Option>> = {
  enabled: flag('enabled', 'hide what may be secret of L7 flows: values become HUBBLE_REDACTED'),
  'http-urlquery': flag('http-urlquery', 'take query and fragment out of URLs'),
  'http-userinfo': flag('http-userinfo', 'hide passwords in URLs; with enabled: false too'),
  'http-headers-allow': headers('headers whose values are told, and no others; without either list none is'),
  'http-headers-deny': headers('headers whose values are hidden, and no others'),
  'kafka-apikey': flag('kafka-apikey', 'hide the names of Kafka requests'),
};
