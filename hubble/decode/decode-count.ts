/** Drops that the dataplane counted instead of telling them one by one, as flows: one for all that were dropped alike. */
import { EGRESS, INGRESS } from '../../wire/direction.ts';
import { EVENT_DROP } from '../../wire/event.ts';
import { PROTO_SCTP, PROTO_TCP, PROTO_UDP } from '../../wire/protocols.ts';
import { compact, type Aggregate, type Flow, type Layer4 } from '../flow.ts';
import { type DecodeOptions, fieldsOf } from './decode.ts';
import { finish } from './flow-object.ts';

/** What was dropped alike. All 0 but the reason for what was too many kinds to be told apart. */
export interface CountedDrops {
  readonly reason: number;
  readonly direction: number;
  readonly protocol: number;
  readonly srcIdentity: number;
  readonly dstIdentity: number;
  readonly cookie: number;
  readonly srcEndpoint: number;
  readonly dstEndpoint: number;
  /** Index of the port that the frames came in by. */
  readonly port: number;
  readonly packets: number;
  readonly bytes: number;
  /** When the last of them was dropped, in milliseconds since the epoch. */
  readonly lastMs: number;
}

/** By number. A message of ICMP without its type would be read as an echo reply, so of ICMP there is none. */
const LAYERS: ReadonlyMap<number, Layer4> = new Map([
  [PROTO_TCP, { TCP: {} }],
  [PROTO_UDP, { UDP: {} }],
  [PROTO_SCTP, { SCTP: {} }],
]);

/** The flow has its protocol, but neither addresses nor ports; how many it stands for is in `aggregate` and in its summary. */
export function decodeCount(drops: CountedDrops, options: DecodeOptions): Flow {
  const { reason, packets, bytes, direction } = drops;
  const fields = fieldsOf(
    {
      type: EVENT_DROP,
      subtype: reason,
      sourceEndpoint: drops.srcEndpoint,
      destinationEndpoint: drops.dstEndpoint,
      hash: 0,
      originalBytes: bytes,
      version: 1,
      flags: 0,
      srcIdentity: drops.srcIdentity,
      dstIdentity: drops.dstIdentity,
      dstPort: 0,
      verdict: -reason,
      protocol: drops.protocol,
      direction,
      matchType: 0,
      authType: 0,
      cookie: drops.cookie,
      otherCookie: 0,
      frontend: 0,
      ifindex: drops.port,
      traceReason: 0,
      timeMs: drops.lastMs,
      payload: new Uint8Array(0),
    },
    options,
  );
  fields.l4 = LAYERS.get(drops.protocol);
  const many = `${packets} packets, ${bytes} bytes`;
  fields.Summary = fields.Summary === undefined || fields.Summary === '' ? many : `${fields.Summary}; ${many}`;
  const count = Math.min(packets, 0xffffffff);
  fields.aggregate = compact<Aggregate>({
    ingress_flow_count: direction === INGRESS ? count : 0,
    egress_flow_count: direction === EGRESS ? count : 0,
    unknown_direction_flow_count: direction !== INGRESS && direction !== EGRESS ? count : 0,
  });
  return finish(fields);
}
