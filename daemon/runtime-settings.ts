/** Configuration that the dataplane reads from the `runtime_config` map, and may therefore change while it runs. */
import * as words from '../policy-maps/config-map.ts';
import { TranslationSettings } from '../policy-maps/service/translation-settings.ts';
import { type Config, isMasquerading, loopbackAddresses, masqueradePorts } from './config/config.ts';
import { readDuration } from './config/schema-tofqdns.ts';
import { addressWords, macWords } from '../wire/address.ts';
import { parsePrefix } from '../wire/prefix.ts';

const MODES = { default: words.ENFORCEMENT_DEFAULT, always: words.ENFORCEMENT_ALWAYS, never: words.ENFORCEMENT_NEVER };
const AGGREGATION = { none: 0, low: 1, medium: 3, maximum: 3 };

/** Options that take effect without a restart of the agent, by their place in `Config`. For tests: docs/configuration.md names them. */
export const LIVE_OPTIONS: readonly string[] = [
  'logLevel',
  'eventRate',
  'faults',
  'aggregation',
  'healthProbeInterval',
  'tcpMidstream',
  'standIns',
  'policy.allow-icmp-frag-needed',
];

/** Writes the words that come from the configuration. */
export function writeSettings(map: words.ConfigMap, config: Config, routerMac: string): void {
  const { policy, router } = config;
  map.routerMac = macWords(routerMac);
  if (router.ipv4 !== '') map.setAddress(words.CONFIG_ROUTER_IPV4, addressWords(router.ipv4));
  if (router.ipv6 !== '') map.setAddress(words.CONFIG_ROUTER_IPV6, addressWords(router.ipv6));
  setRange(map, words.CONFIG_POD_RANGE_IPV4, config.podCIDRs.ipv4);
  setRange(map, words.CONFIG_POD_RANGE_IPV6, config.podCIDRs.ipv6);
  map.store(words.CONFIG_ENFORCEMENT, MODES[policy['enable-policy']]);
  map.store(words.CONFIG_AUDIT_MODE, policy['policy-audit-mode'] ? 1 : 0);
  map.store(words.CONFIG_ALLOW_ICMP_FRAG_NEEDED, policy['allow-icmp-frag-needed'] ? 1 : 0);
  map.store(words.CONFIG_TRACE_AGGREGATION, AGGREGATION[config.aggregation]);
  map.store(words.CONFIG_OUTSIDE_BY_HOST, config.uplinkMode === 'host' ? 1 : 0);
  map.store(words.CONFIG_TCP_NEEDS_SYN, config.tcpMidstream ? 0 : 1);
  map.store(words.CONFIG_EVENT_RATE_LIMIT, config.eventRate);
  map.store(words.CONFIG_OFFLOAD_BYTES, config.offload === 'nft' ? config.offloadAfterBytes : 0);
  map.store(words.CONFIG_EVENTS_OFF, config.hubble.enabled ? 0 : 1);
  map.store(words.CONFIG_DNS_MAX_DELAY_MS, readDuration(policy['tofqdns-proxy-response-max-delay']) ?? 0);
  const translation = new TranslationSettings(map);
  translation.isRejecting = config.services['service-no-backend-response'] === 'reject';
  translation.mustMasquerade = isMasquerading(config);
  translation.masqueradePorts = masqueradePorts(config);
  const native = [config.masquerade['ipv4-native-routing-cidr'], config.masquerade['ipv6-native-routing-cidr']];
  translation.setNativePrefixes(
    native
      .filter((text) => text !== '')
      .map((text) => parsePrefix(text))
      .map(({ words: address, bits }) => ({ address, prefixLength: bits })),
  );
  for (const address of loopbackAddresses(config)) translation.setLoopback(addressWords(address));
  map.store(words.CONFIG_AGENT_PID, process.pid);
}

/** @param range its text; empty for none */
function setRange(map: words.ConfigMap, word: number, range: string): void {
  map.store(word + words.POD_RANGE_BITS, 0);
  if (range === '') return;
  const prefix = parsePrefix(range);
  map.setAddress(word, prefix.words);
  map.store(word + words.POD_RANGE_BITS, prefix.bits);
}

/** Options that differ between two configurations, split by whether they can change while the agent runs. */
export function changedOptions(before: Config, after: Config): { live: string[]; restart: string[] } {
  const from = flatten(before);
  const to = flatten(after);
  const changed = [...new Set([...from.keys(), ...to.keys()])].filter((key) => from.get(key) !== to.get(key));
  return {
    live: changed.filter(isLive),
    restart: changed.filter((key) => !isLive(key)),
  };
}

function isLive(path: string): boolean {
  return LIVE_OPTIONS.some((live) => path === live || path.startsWith(`${live}.`));
}

function flatten(value: object, prefix = '', into = new Map<string, string>()): Map<string, string> {
  for (const [key, item] of Object.entries(value) as [string, unknown][]) {
    const path = prefix === '' ? key : `${prefix}.${key}`;
    if (typeof item === 'object' && item !== null && !Array.isArray(item)) flatten(item, path, into);
    else into.set(path, JSON.stringify(item));
  }
  return into;
}
