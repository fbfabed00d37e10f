/** What a protocol of DNS is started with in tests: one rule set (1) that the test can change, a clock, and what was told. */
import type { L7RuleSet } from '../policy-maps/l7-rules.ts';
import type { Teaching } from '../l7proxy/dns/teaching.ts';
import type { ProtocolServices } from '../l7proxy/protocol.ts';
import type { AccessLog } from '../wire/access-log.ts';
import { ToldLog } from './told.ts';

/** Identity 5 may ask identity 6 for names that end in `.ok`, and for `Exact.Example`. */
export const DNS_RULES: L7RuleSet = {
  parser: 'dns',
  endpoint: 7,
  ingress: true,
  port: 53,
  rules: [{ remotes: [5], dns: [{ matchPattern: '**.ok' }, { matchName: 'Exact.Example' }], cookie: 9 }],
};

export function dnsServices(ruleSet: L7RuleSet = DNS_RULES, teaching?: Teaching) {
  const told: { isIngress: boolean; cookie: number; log: AccessLog }[] = [];
  const log = new ToldLog(true, 1000, ({ isIngress, cookie, log }) => void told.push({ isIngress, cookie, log }));
  const rules: { generation: number; ruleSet: L7RuleSet } = { generation: 1, ruleSet };
  const ruleSets = {
    get generation() {
      return rules.generation;
    },
    get: (id: number) => (id === 1 ? { generation: rules.generation, ruleSet: rules.ruleSet } : undefined),
  };
  const services: ProtocolServices = { name: 'dns', ruleSets, log, seed: 42, ...(teaching && { teaching }) };
  const change = (next: L7RuleSet) => {
    rules.generation++;
    rules.ruleSet = next;
  };
  return { services, log, told, change };
}
