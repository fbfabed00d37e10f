/** Event records and the flows that they become, for tests: a pod `web-0` that talks to `api-0`. */
import { Decoder } from '../hubble/decode/decoder.ts';
import { type Directory, EMPTY_DIRECTORY } from '../hubble/decode/directory.ts';
import type { Envelope, Flow } from '../hubble/flow.ts';
import { FlowPrinter, type PrintOptions } from '../hubble/print/print.ts';
import type { AccessLog } from '../wire/access-log.ts';
import { parseIp } from '../wire/address.ts';
import { INGRESS } from '../wire/direction.ts';
import * as event from '../wire/event.ts';
import * as ethernet from '../wire/header/ethernet.ts';
import * as ipv4 from '../wire/header/ipv4.ts';
import * as ipv6 from '../wire/header/ipv6.ts';
import * as tcp from '../wire/header/tcp.ts';
import * as udp from '../wire/header/udp.ts';
import { MATCH_L3_L4 } from '../wire/match.ts';
import { recordsOf } from './l7-records.ts';
import { whole } from './told.ts';

/** Jan 2 2024, 03:04:05.006 UTC. */
export const TIME_MS = 1704164645006;

export const WEB = { id: 10, identity: 1234, ip: '10.0.0.1', mac: 1 };
export const API = { id: 20, identity: 2345, ip: '10.0.0.2', mac: 2 };

export const directory: Directory = {
  ...EMPTY_DIRECTORY,
  endpoint: (id) =>
    ({
      10: {
        namespace: 'shop',
        podName: 'web-0',
        identity: 1234,
        labels: ['k8s:io.cilium.k8s.policy.cluster=default', 'k8s:app=web', 'k8s:io.kubernetes.pod.namespace=shop'],
        workloads: [{ name: 'web', kind: 'StatefulSet' }],
      },
      20: { namespace: 'shop', podName: 'api-0', identity: 2345, labels: ['k8s:app=api'] },
    })[id],
  identityLabels: (identity) => ({ 2: ['reserved:world'], 1: ['reserved:host'] })[identity],
  pod: (ip) => (ip === '10.0.9.9' ? { namespace: 'far', podName: 'away-0' } : undefined),
  names: (ip) => (ip === '192.0.2.9' ? ['cdn.example', 'www.example'] : []),
  service: (ip, port) =>
    ip === '10.96.0.10' && port === 53 ? { name: 'kube-dns', namespace: 'kube-system' } : undefined,
  frontend: (id) => (id === 7 ? { name: 'web', namespace: 'shop' } : undefined),
  interface: (ifindex) => (ifindex === 4 ? { index: 4, name: 'lxcabc' } : undefined),
  policies: (cookie) =>
    cookie === 7
      ? [
          { name: 'allow-web', namespace: 'shop', kind: 'CiliumNetworkPolicy' },
          { name: 'base', kind: 'CiliumClusterwideNetworkPolicy' },
        ]
      : cookie === 8
        ? [{ name: 'default-deny', namespace: 'shop', kind: 'NetworkPolicy' }]
        : [],
  policyLog: (cookie) => (cookie === 7 ? ['audited-app'] : []),
};

export const options = { directory, nodeName: 'node-1' };

export interface L4 {
  readonly protocol: number;
  readonly bytes: Uint8Array;
}

export function l4(protocol: number, size: number, emit: (bytes: Uint8Array) => void): L4 {
  const bytes = new Uint8Array(size);
  emit(bytes);
  return { protocol, bytes };
}

export const tcpOf = (srcPort: number, dstPort: number, flags: number) =>
  l4(6, 20, (b) => tcp.emit(b, 0, { srcPort, dstPort, seq: 1, ack: 0, flags, window: 1000 }));
export const udpOf = (srcPort: number, dstPort: number) => l4(17, 8, (b) => udp.emit(b, 0, { srcPort, dstPort }, 0));

/** A frame between two addresses of one family. */
export function frame(from: string, to: string, { protocol, bytes }: L4): Uint8Array {
  const src = [0, 0, 0, 0];
  const dst = [0, 0, 0, 0];
  const family = parseIp(from, src);
  parseIp(to, dst);
  const out = new Uint8Array(14 + (family === 4 ? 20 : 40) + bytes.length);
  const etherType = family === 4 ? ethernet.ETHERTYPE_IPV4 : ethernet.ETHERTYPE_IPV6;
  ethernet.emit(out, 0, { dstMacHigh: 0x0200, dstMacLow: 2, srcMacHigh: 0x0200, srcMacLow: 1, etherType });
  if (family === 4) ipv4.emit(out, 14, { src: src[3], dst: dst[3], protocol, payloadLength: bytes.length });
  else ipv6.emit(out, 14, { src, dst, nextHeader: protocol, payloadLength: bytes.length });
  out.set(bytes, out.length - bytes.length);
  return out;
}

export interface Event {
  readonly type: number;
  readonly subtype?: number;
  readonly packet?: Uint8Array;
  readonly flags?: number;
  readonly identities?: readonly [number, number];
  readonly endpoints?: readonly [number, number];
  readonly direction?: number;
  readonly verdict?: number;
  readonly match?: number;
  readonly auth?: number;
  readonly cookies?: readonly [number, number];
  readonly frontend?: number;
  readonly ifindex?: number;
  readonly traceReason?: number;
  readonly hash?: number;
  readonly protocol?: number;
  readonly timeMs?: number;
}

export function recordOf(e: Event): event.EventRecord {
  return event.decodeEvent(bytesOf(e), 0);
}

/** A record as it lies in the ring. */
export function bytesOf(e: Event): Uint8Array {
  const bytes = new Uint8Array(event.EVENT_BYTES);
  event.begin(bytes, 0, e.type, e.subtype ?? 0, e.timeMs ?? TIME_MS);
  event.setFlags(bytes, 0, e.flags ?? 0);
  event.setIdentities(bytes, 0, e.identities?.[0] ?? WEB.identity, e.identities?.[1] ?? API.identity);
  event.setSourceEndpoint(bytes, 0, e.endpoints?.[0] ?? WEB.id);
  event.setDestinationEndpoint(bytes, 0, e.endpoints?.[1] ?? API.id);
  event.setDirection(bytes, 0, e.direction ?? INGRESS);
  event.setVerdict(bytes, 0, e.verdict ?? 0);
  event.setMatchType(bytes, 0, e.match ?? 0);
  event.setAuthType(bytes, 0, e.auth ?? 0);
  event.setCookies(bytes, 0, e.cookies?.[0] ?? 0, e.cookies?.[1] ?? 0);
  event.setFrontend(bytes, 0, e.frontend ?? 0);
  event.setIfindex(bytes, 0, e.ifindex ?? 0);
  event.setTraceReason(bytes, 0, e.traceReason ?? 0);
  event.setHash(bytes, 0, e.hash ?? 0);
  event.setProtocol(bytes, 0, e.protocol ?? 6);
  const packet = e.packet ?? frame(WEB.ip, API.ip, tcpOf(41000, 8080, tcp.SYN));
  event.capture(bytes, 0, packet, 0, packet.length);
  return bytes;
}

/** The slots of one access-log record. */
export function l7Records(log: AccessLog, e: Omit<Event, 'type'> = {}): event.EventRecord[] {
  const fixed = recordOf({ ...e, type: event.EVENT_L7 });
  return recordsOf(log).map((record) => {
    if (record.subtype > 0) return record;
    const { originalBytes, flags, payload } = record;
    return { ...fixed, originalBytes, flags: flags | (e.flags ?? 0), payload };
  });
}

export function decode(record: event.EventRecord): Flow {
  const flow = new Decoder(options).decode(record);
  if (flow === undefined) throw new Error('not decoded');
  return flow;
}

export function decodeL7(log: AccessLog, e: Omit<Event, 'type'> = {}): Flow {
  return decode(whole(l7Records(log, e)));
}

export const verdictSyn: Event = { type: event.EVENT_POLICY_VERDICT, match: MATCH_L3_L4 };
export const traceFlags = event.FLAG_REPLY_KNOWN;
export const ENDS = {
  SourceEndpoint: { IPv4: WEB.ip, Port: 41000 },
  DestinationEndpoint: { IPv4: API.ip, Port: 8080 },
};
export const HTTP = { Method: 'GET', URL: 'http://api:8080/x', Protocol: 'HTTP/1.1' };
export const DNS = { Query: 'a.example.', QTypes: ['A'], ObservationSource: 'proxy' };
const DNS_ENDS = {
  SourceEndpoint: { IPv4: WEB.ip, Port: 50000 },
  DestinationEndpoint: { IPv4: '10.0.9.9', Port: 53 },
};

export const flows = {
  allowed: decode(recordOf(verdictSyn)),
  denied: decode(recordOf({ ...verdictSyn, match: 0, verdict: -133, cookies: [8, 0] })),
  dropped: decode(recordOf({ type: event.EVENT_DROP, subtype: 133, verdict: -133, cookies: [8, 0], ifindex: 4 })),
  traced: decode(recordOf({ type: event.EVENT_TRACE, flags: traceFlags, ifindex: 4 })),
  replied: decode(
    recordOf({
      type: event.EVENT_TRACE,
      flags: traceFlags | event.FLAG_REPLY,
      traceReason: 2,
      packet: frame(API.ip, WEB.ip, tcpOf(8080, 41000, tcp.SYN | tcp.ACK)),
      identities: [API.identity, WEB.identity],
      endpoints: [API.id, WEB.id],
    }),
  ),
  request: decodeL7({ Type: 'Request', Verdict: 'Forwarded', ...ENDS, HTTP }),
  response: decodeL7({
    Type: 'Response',
    Verdict: 'Forwarded',
    ...ENDS,
    LatencyNs: 5_400_000,
    HTTP: { ...HTTP, Code: 200 },
  }),
  query: decodeL7(
    { Type: 'Request', Verdict: 'Forwarded', ...DNS_ENDS, DNS },
    { protocol: 17, endpoints: [10, 0], identities: [1234, 4567] },
  ),
  answer: decodeL7(
    {
      Type: 'Response',
      Verdict: 'Forwarded',
      ...DNS_ENDS,
      DNS: { ...DNS, IPs: ['192.0.2.1'], TTL: 30, AnswerTypes: ['A'] },
    },
    { protocol: 17, endpoints: [10, 0], identities: [1234, 4567] },
  ),
  world: decode(
    recordOf({
      type: event.EVENT_DROP,
      subtype: 132,
      packet: frame('192.0.2.7', '10.0.0.3', tcpOf(443, 22, tcp.SYN)),
      identities: [2, 1],
      endpoints: [0, 0],
    }),
  ),
};

/** What the printer writes of these envelopes. */
export const text = (print: Partial<PrintOptions>, ...envelopes: Envelope[]) => {
  let out = '';
  let err = '';
  const printer = new FlowPrinter(
    { output: 'compact', ...print },
    (s) => (out += s),
    (s) => (err += s),
  );
  for (const one of envelopes) printer.write(one);
  printer.close();
  return [out, err];
};

/** The envelope of a flow. */
export function envelope(flow: Flow): Envelope {
  return { flow, ...(flow.node_name === undefined ? {} : { node_name: flow.node_name }), time: flow.time };
}

// Observation points that our dataplane does not use.
export const FROM_ENDPOINT = 5;
export const FROM_NETWORK = 10;
