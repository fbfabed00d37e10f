/**
 * Ports for fragments that carry none (Cilium: cilium_ipv4_frag_datagrams). The first fragment of a datagram is noted
 * with its ports; later ones, which arrive after it as a rule, take them from there and then belong to the same
 * connection. One that comes before its first fragment keeps port 0, and only entries for all ports can match it.
 */
import type { FragmentMap } from '../policy-maps/fragment-map.ts';
import type { Frame } from '../wire/frame.ts';
import { PROTO_ICMP, PROTO_ICMPV6 } from './parse.ts';

/** Notes a first fragment's ports, or fills in those of a later one. @param nowSec monotonic seconds */
export function restorePorts(f: Frame, fragments: FragmentMap, nowSec: number): void {
  if (f.isFirstFragment) {
    fragments.insert(f, f.srcPort, f.dstPort, nowSec);
    return;
  }
  const slot = fragments.lookup(f, nowSec);
  if (slot < 0) return;
  f.srcPort = fragments.srcPort(slot);
  f.dstPort = fragments.dstPort(slot);
  // Of ICMP only echoes have ports, and the side the identifier stands on tells request from reply.
  if (f.protocol === PROTO_ICMP) f.icmpType = f.srcPort !== 0 ? 8 : 0;
  else if (f.protocol === PROTO_ICMPV6) f.icmpType = f.srcPort !== 0 ? 128 : 129;
}
