/**
 * Records as a dataplane writes them for a town of pods, and what an agent knows of it: for benches of what becomes of records.
 * 300 pods of 80 workloads, 3000 addresses outside, 60 policies, 300 names; the same at every run.
 */
import type { DirectoryDelta } from '../hubble/decode/directory-delta.ts';
import { toldTo } from '../hubble/decode/directory-delta.ts';
import { type Event, bytesOf, frame, tcpOf, traceFlags } from '../test/events.ts';
import { randomFrom } from '../test/random.ts';
import { OneRecord } from '../test/told.ts';
import { addressWords } from '../wire/address.ts';
import { EGRESS, INGRESS } from '../wire/direction.ts';
import * as event from '../wire/event.ts';
import * as tcp from '../wire/header/tcp.ts';
import * as form from '../wire/l7-record.ts';
import { MATCH_L3_L4 } from '../wire/match.ts';
import { DROP_POLICY } from '../wire/reasons.ts';

const PODS = 300;
const WORKLOADS = 80;
const NAMESPACES = 20;
const OUTSIDE = 3000;
const NAMES = 300;
const POLICIES = 60;
const FIRST_ENDPOINT = 10;
const WORLD = 2;
const PORTS = [80, 443, 8080, 5432, 9092];
const FLAGS = [tcp.SYN, tcp.SYN | tcp.ACK, tcp.ACK, tcp.FIN | tcp.ACK];
/** Where the time stands in a record. */
const AT_TIME = 48;

const podIp = (index: number) => `10.244.${index >> 8}.${index & 255}`;
const outsideIp = (index: number) => `198.51.${index >> 8}.${index & 255}`;
const identityOf = (pod: number) => 1000 + (pod % WORKLOADS);
const labelsOf = (pod: number) => [
  `k8s:app=app-${pod % WORKLOADS}`,
  'k8s:io.cilium.k8s.policy.cluster=default',
  'k8s:io.cilium.k8s.policy.serviceaccount=default',
  `k8s:io.kubernetes.pod.namespace=team-${pod % NAMESPACES}`,
  `k8s:tier=${pod % 3}`,
];
const list = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

/** What the agent tells the observatory of this town. */
export function townDirectory(): DirectoryDelta {
  const endpointOf = (pod: number) => ({
    namespace: `team-${pod % NAMESPACES}`,
    podName: `app-${pod % WORKLOADS}-${pod}`,
    labels: labelsOf(pod),
    identity: identityOf(pod),
    workloads: [{ name: `app-${pod % WORKLOADS}`, kind: 'Deployment' }],
  });
  return {
    endpoints: list(PODS, (pod) => [pod + FIRST_ENDPOINT, endpointOf(pod)]),
    identities: [...list(WORKLOADS, (pod) => [identityOf(pod), labelsOf(pod)] as const), [WORLD, ['reserved:world']]],
    addresses: list(PODS, (pod) => [podIp(pod), endpointOf(pod)]),
    interfaces: list(PODS, (pod) => [pod + 1, { index: 100 + pod, name: `lxc${pod}` }]),
    names: list(NAMES, (name) => [toldTo(0, outsideIp(name)), [`host-${name}.example.com`]]),
    cookies: list(POLICIES, (policy) => [
      policy + 1,
      [{ kind: 'CiliumNetworkPolicy', namespace: `team-${policy % NAMESPACES}`, name: `policy-${policy}` }],
    ]),
    policies: list(POLICIES, (policy) => [
      `CiliumNetworkPolicy team-${policy % NAMESPACES}/policy-${policy}`,
      { labels: [`k8s:io.cilium.k8s.policy.name=policy-${policy}`], revision: 7 },
    ]),
    frontends: list(WORKLOADS, (app) => [app + 1, { name: `app-${app}`, namespace: `team-${app % NAMESPACES}` }]),
    nodeLabels: ['kubernetes.io/hostname=node-1'],
  };
}

/** Kinds of records, with their share of a thousand where they are mixed. */
export const KINDS = { trace: 600, verdict: 200, drop: 100, 'HTTP request': 50, 'HTTP response': 50 } as const;

export type Kind = keyof typeof KINDS;

export class EventTown {
  readonly #draw = randomFrom(11);

  /** A record of a kind, whole in one slot. */
  record(kind: Kind): Uint8Array {
    const draw = this.#draw;
    const [from, to] = [draw(PODS), draw(PODS)];
    const outside = draw(5) === 0 ? draw(OUTSIDE) : undefined;
    const port = PORTS[to % PORTS.length];
    const isEgress = outside !== undefined;
    const ends = {
      identities: [identityOf(from), isEgress ? WORLD : identityOf(to)] as const,
      endpoints: [from + FIRST_ENDPOINT, isEgress ? 0 : to + FIRST_ENDPOINT] as const,
      direction: isEgress ? EGRESS : INGRESS,
      ifindex: from + 1,
      frontend: isEgress ? 0 : 1 + (to % WORKLOADS),
    };
    const cookies = [1 + (to % POLICIES), 0] as const;
    const addresses = { from: podIp(from), to: isEgress ? outsideIp(outside) : podIp(to) };
    const sourcePort = 30_000 + draw(30_000);
    if (kind.startsWith('HTTP')) {
      return httpRecord({ ...ends, cookies }, addresses, [sourcePort, port], kind === 'HTTP response', draw(500));
    }
    const packet = frame(addresses.from, addresses.to, tcpOf(sourcePort, port, FLAGS[draw(FLAGS.length)]));
    packet[10] = from >> 8;
    packet[11] = from & 255;
    return bytesOf({ ...ends, ...OF_KIND[kind as keyof typeof OF_KIND], ...(kind !== 'trace' && { cookies }), packet });
  }

  /** Many of all kinds, by their shares. */
  mixed(count: number): Uint8Array[] {
    const kinds = Object.entries(KINDS).flatMap(([kind, share]) => new Array<Kind>(share).fill(kind as Kind));
    return list(count, () => this.record(kinds[this.#draw(kinds.length)]));
  }
}

const OF_KIND = {
  trace: { type: event.EVENT_TRACE, flags: traceFlags, traceReason: 1 },
  verdict: { type: event.EVENT_POLICY_VERDICT, match: MATCH_L3_L4 },
  drop: { type: event.EVENT_DROP, subtype: DROP_POLICY, verdict: -DROP_POLICY },
} satisfies Partial<Record<Kind, Event>>;

function httpRecord(
  {
    identities,
    endpoints,
    direction,
    cookies,
    frontend,
  }: Required<Pick<Event, 'identities' | 'endpoints' | 'direction' | 'cookies' | 'frontend'>>,
  { from, to }: { readonly from: string; readonly to: string },
  [clientPort, serverPort]: readonly [number, number],
  isResponse: boolean,
  path: number,
): Uint8Array {
  const ring = new OneRecord();
  const writer = new form.L7RecordWriter(ring);
  const type = isResponse ? form.TYPE_RESPONSE : form.TYPE_REQUEST;
  const record = writer.begin(1, form.L7_HTTP, type, form.VERDICT_FORWARDED, 0);
  const { bytes, at } = record;
  event.setIdentities(bytes, at, ...identities);
  event.setSourceEndpoint(bytes, at, endpoints[0]);
  event.setDestinationEndpoint(bytes, at, endpoints[1]);
  event.setDirection(bytes, at, direction);
  event.setCookies(bytes, at, ...cookies);
  event.setProtocol(bytes, at, 6);
  event.setFrontend(bytes, at, frontend);
  record.setEnd(true, clientPort, Int32Array.from(addressWords(from)), 0);
  record.setEnd(false, serverPort, Int32Array.from(addressWords(to)), 0);
  record.setKind(0x11, 0);
  if (isResponse) {
    record.setCode(200);
    record.setNanoseconds(1e6 + path * 1000);
  }
  record.text(form.FIELD_METHOD, 'GET');
  record.text(form.FIELD_HOST, `app-${serverPort}`);
  record.text(form.FIELD_PATH, `/public/items/${path}`);
  for (const [name, value] of isResponse ? [] : HEADERS) {
    record.text(form.FIELD_NAME, name);
    record.text(form.FIELD_VALUE, value);
  }
  record.end();
  return ring.bytes.slice(0, event.EVENT_BYTES);
}

const HEADERS = [
  ['User-Agent', 'curl/8.5.0'],
  ['Accept', '*/*'],
];

/** Stores the time of a record. */
export class RecordTime {
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  set(at: number, timeMs: number): void {
    this.#view.setFloat64(at + AT_TIME, timeMs, true);
  }
}
