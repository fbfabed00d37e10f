/** What the configuration says about learning from DNS. */
import { guardOf } from '../../policy/fqdn/guard.ts';
import { parsePrefix } from '../../wire/prefix.ts';
import { type Config, podRanges } from '../config/config.ts';
import { readDuration } from '../config/schema-tofqdns.ts';
import type { LearningSettings } from './learning.ts';

export function learningSettings(config: Config): LearningSettings {
  const { policy, dns, serviceCIDRs, loadBalancerCIDRs } = config;
  const ranges = [...podRanges(config), ...Object.values(serviceCIDRs), ...Object.values(loadBalancerCIDRs)];
  return {
    limits: {
      minTtlSec: policy['tofqdns-min-ttl'],
      maxAddresses: policy['tofqdns-endpoint-max-ip-per-hostname'],
      maxZombies: policy['tofqdns-max-deferred-connection-deletes'],
      idleGraceSec: (readDuration(policy['tofqdns-idle-connection-grace-period']) ?? 0) / 1000,
    },
    guard: guardOf({
      isOn: dns.guard,
      domain: dns.domain,
      own: ranges.filter((range) => range !== '').map((range) => parsePrefix(range)),
      allowed: dns.guardExcept.map((range) => parsePrefix(range, 'host')),
    }),
    preCache: policy['tofqdns-pre-cache'],
  };
}
