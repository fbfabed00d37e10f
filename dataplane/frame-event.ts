/** What an event record says of the frame that it is about, whatever became of it. */
import * as event from '../wire/event.ts';
import type { Frame } from '../wire/frame.ts';
import { PROTO_ICMP, PROTO_ICMPV6 } from '../wire/protocols.ts';
import { ReverseNatMap } from '../policy-maps/service/reverse-nat-map.ts';

/** Fills the record at `at`, which has begun. @param flags FLAG_* of wire/event.ts, but for the IP version */
export function describeFrame(bytes: Uint8Array, at: number, f: Frame, flags: number): void {
  event.setFlags(bytes, at, flags | (f.family === 6 ? event.FLAG_IPV6 : 0));
  event.setIdentities(bytes, at, f.srcIdentity, f.dstIdentity);
  event.setSourceEndpoint(bytes, at, f.srcEndpoint);
  event.setDestinationEndpoint(bytes, at, f.dstEndpoint);
  const isIcmp = f.protocol === PROTO_ICMP || f.protocol === PROTO_ICMPV6; // what stands for its ports are none
  event.setDstPort(bytes, at, isIcmp ? 0 : f.dstPort);
  event.setProtocol(bytes, at, f.protocol);
  event.setIfindex(bytes, at, f.port);
  event.setFrontend(bytes, at, ReverseNatMap.frontendOf(f.frontend));
}
