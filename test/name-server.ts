/** A name server without sockets: bytes in, answers out, with servers behind it that a test plays. */
import { AnswerCache, CACHE_BYTES } from '../nameserver/cache.ts';
import { CachedMessage } from '../nameserver/cached-message.ts';
import { Counters } from '../nameserver/counters.ts';
import type { Deliver } from '../nameserver/resolver.ts';
import { NameServer } from '../nameserver/server.ts';
import type { Question } from '../nameserver/upstream-query.ts';
import type { Zone } from '../nameserver/zone.ts';
import type { ZoneFile } from '../nameserver/zone-file.ts';
import { buildZone } from '../nameserver/zone-records.ts';
import { DnsMessage } from '../wire/dns/message.ts';
import { DomainName } from '../wire/dns/name.ts';
import { type MessageInput, query } from './dns-messages.ts';
import { type ReadAnswer, readAnswer } from './dns-reading.ts';

const TYPES = { A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, MX: 15, TXT: 16, AAAA: 28, SRV: 33, ANY: 255 } as const;

/** The cluster of most tests. */
export const CLUSTER: ZoneFile = {
  serial: 7,
  domain: 'cluster.local',
  ttlSec: 5,
  upstreams: [],
  ranges: ['10.96.0.0/16', '10.0.0.0/12', 'fd00:10:96::/112'],
  services: [
    {
      namespace: 'default',
      name: 'kubernetes',
      kind: 'ClusterIP',
      addresses: ['10.96.0.1', 'fd00:10:96::1'],
      ports: [
        { name: 'https', protocol: 'TCP', port: 443 },
        { name: 'dns', protocol: 'UDP', port: 53 },
      ],
    },
    { namespace: 'kube-system', name: 'kube-dns', kind: 'ClusterIP', addresses: ['10.96.0.10'], ports: [] },
    {
      namespace: 'default',
      name: 'db',
      kind: 'headless',
      endpoints: [
        { address: '10.0.0.7', hostname: 'db-0', ports: [{ name: 'sql', protocol: 'TCP', port: 5432 }] },
        { address: 'fd00::7', hostname: 'db-0', ports: [{ name: 'sql', protocol: 'TCP', port: 5432 }] },
        { address: '10.0.0.8', ports: [{ name: 'sql', protocol: 'TCP', port: 5433 }] },
      ],
    },
    { namespace: 'default', name: 'empty', kind: 'headless', endpoints: [] },
    { namespace: 'default', name: 'search', kind: 'ExternalName', externalName: 'www.example.com' },
    { namespace: 'default', name: 'near', kind: 'ExternalName', externalName: 'kubernetes.default.svc.cluster.local' },
    { namespace: 'default', name: 'circle', kind: 'ExternalName', externalName: 'circle.default.svc.cluster.local' },
    { namespace: 'default', name: 'gone', kind: 'ExternalName', externalName: 'no.default.svc.cluster.local' },
  ],
  pods: [
    { namespace: 'default', address: '10.0.0.7' },
    { namespace: 'default', address: 'fd00::7' },
  ],
};

/** A question that the server asks others. */
export interface Asked {
  readonly key: string;
  readonly question: Question;
  /** Its name as text. */
  readonly name: string;
  readonly client: string;
  readonly deliver: Deliver;
}

const START_SEC = 1_000;

/** The zone of a file, at once. */
function zoneOf(file: ZoneFile): Zone {
  const steps = buildZone(file);
  for (let step = steps.next(); ; step = steps.next()) if (step.done === true) return step.value;
}

export interface Played {
  /** Of the clock. */
  nowSec: number;
  readonly server: NameServer;
  readonly counters: Counters;
  readonly cache: AnswerCache;
  /** What is asked of others and not answered yet. */
  readonly asked: Asked[];
  /** Whether others may be asked. */
  hasRoom: boolean;
  /** Answers that came later. */
  readonly later: ReadAnswer[];
  /** An answer at once; undefined when there is none, or it comes later. */
  ask(
    name: string,
    type: keyof typeof TYPES | number,
    more?: MessageInput & { isStream?: boolean },
  ): ReadAnswer | undefined;
  send(bytes: Uint8Array, isStream?: boolean): Uint8Array | undefined;
  /** Answers the oldest question that others were asked, and keeps that in the cache as the resolver would. */
  resolve(answer: Buffer | undefined, isStale?: boolean): void;
}

export function playServer(file: ZoneFile = CLUSTER, onMissing: (label: Uint8Array) => void = () => {}): Played {
  const counters = new Counters();
  const cache = new AnswerCache(CACHE_BYTES);
  const asked: Asked[] = [];
  const later: ReadAnswer[] = [];
  const resolver = {
    ask(key: string, question: Question, client: string, deliver: Deliver): boolean {
      const name = new DomainName();
      name.load(question.name, 0, question.name.length, 0);
      if (played.hasRoom) asked.push({ key, question, name: name.text(), client, deliver });
      return played.hasRoom;
    },
  };
  const server = new NameServer({
    zone: zoneOf(file),
    cache,
    resolver,
    counters,
    onMissing,
    clock: () => played.nowSec,
  });
  server.nowSec = START_SEC;
  const to = new Uint8Array(65535 + 2);
  const played: Played = {
    nowSec: START_SEC,
    server,
    counters,
    cache,
    asked,
    later,
    hasRoom: true,
    send(bytes, isStream = false) {
      const back = () => (answer: Uint8Array) => void later.push(readAnswer(answer));
      server.nowSec = played.nowSec;
      const length = server.handle(bytes, 0, bytes.length, to, 2, { isStream, client: () => '192.0.2.9', back });
      return length === 0 ? undefined : to.slice(2, 2 + length);
    },
    ask(name, type, { isStream, ...more } = {}) {
      const code = typeof type === 'number' ? type : TYPES[type];
      const bytes = played.send(query(name, { type: code, ...more }), isStream);
      return bytes && readAnswer(bytes);
    },
    resolve(answer, isStale = false) {
      const { key, deliver } = asked.shift() ?? { key: '', deliver: () => {} };
      if (answer === undefined) {
        deliver(undefined, false);
        return;
      }
      const message = new DnsMessage();
      message.parse(answer, 0, answer.length);
      const found = new CachedMessage(message, answer, 0, played.nowSec);
      if (found.ttlSec > 0) cache.set(key, found);
      deliver(found, isStale);
    },
  };
  return played;
}
