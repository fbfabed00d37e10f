/**
 * Ports for fragments that carry none (Cilium: cilium_ipv4_frag_datagrams). The first fragment of a datagram is noted
 * with its ports; later ones, which arrive after it as a rule, take them from there and then belong to the same
 * connection. One that comes before its first fragment keeps port 0, and only entries for all ports can match it.
 */
import type { TupleFields } from '../policy-maps/conntrack-map.ts';
import type { FragmentFields, FragmentMap } from '../policy-maps/fragment-map.ts';
import type { Frame } from '../wire/frame.ts';
import { PROTO_ICMP, PROTO_ICMPV6 } from '../wire/protocols.ts';
import { icmpTypeOf } from './icmp-tuple.ts';

/**
 * Notes the ports of a first fragment that may pass. Not before: a sender that is not who he says he is must not name the
 * ports of other people's fragments.
 * @param was the frame as it came in: so come the others of its datagram
 * @param nowSec monotonic seconds
 */
export function notePorts(f: Frame, was: FragmentFields & TupleFields, fragments: FragmentMap, nowSec: number): void {
  if (f.isFirstFragment) fragments.insert(was, was.srcPort, was.dstPort, nowSec);
}

/** Fills in the ports of a later fragment. @param nowSec monotonic seconds */
export function restorePorts(f: Frame, fragments: FragmentMap, nowSec: number): void {
  if (f.isFirstFragment) return;
  const slot = fragments.lookup(f, nowSec);
  if (slot < 0) return;
  f.srcPort = fragments.srcPort(slot);
  f.dstPort = fragments.dstPort(slot);
  if (f.protocol === PROTO_ICMP || f.protocol === PROTO_ICMPV6) f.icmpType = icmpTypeOf(f, f.protocol);
}
