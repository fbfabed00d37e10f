// The thread as the agent starts it (the program in dist/bin), on rings of this test's own.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { hubbleSocket } from '../../api/sockets.ts';
import { envelopeOf } from '../../hubble/message/envelope.ts';
import { Observer } from '../../hubble/proto/observer/observer_pb.ts';
import { mapFile } from '../../dataplane/native/index.ts';
import type { Envelope } from '../../hubble/flow.ts';
import type { EventRing } from '../../policy-maps/event-ring.ts';
import { CONFIG_DROP_COUNTS_EPOCH, CONFIG_DROPS_READ, type ConfigMap } from '../../policy-maps/config-map.ts';
import type { DropCountMap } from '../../policy-maps/drop-count-map.ts';
import { PINNED, type PinnedFile } from '../../policy-maps/pinned.ts';
import type { PinnedMap } from '../../policy-maps/table/pinned-map.ts';
import { waitFor } from '../../test/command.ts';
import { API, bytesOf, type Event, frame, tcpOf, traceFlags, WEB } from '../../test/events.ts';
import { EVENT_DROP, EVENT_TRACE } from '../../wire/event.ts';
import { DROP_POLICY } from '../../wire/reasons.ts';
import { type Config, loadConfig } from '../config/config.ts';
import type { DirectoryDelta } from '../../hubble/decode/directory-delta.ts';
import { Observatory } from './observatory.ts';

const DENY_COOKIE = 21;
const DIRECTORY: DirectoryDelta = {
  endpoints: [
    [WEB.id, { namespace: 'shop', podName: 'web-0', labels: ['k8s:app=web'], identity: WEB.identity }],
    [API.id, { namespace: 'shop', podName: 'api-0', labels: ['k8s:app=api'], identity: API.identity }],
  ],
  denies: [[API.id, { ingress: DENY_COOKIE, egress: 0 }]],
  cookies: [[DENY_COOKIE, [{ kind: 'NetworkPolicy', namespace: 'shop', name: 'closed' }]]],
};
const TRACE: Event = { type: EVENT_TRACE, flags: traceFlags };
const DROP: Event = { type: EVENT_DROP, subtype: DROP_POLICY, verdict: -DROP_POLICY };
const CAPACITY = 8192;

class Rig {
  readonly config: Config;
  readonly observatory: Observatory;
  readonly events: EventRing;
  readonly dropEvents: EventRing;
  readonly words: ConfigMap;
  readonly dropCounts: DropCountMap;
  readonly logged: string[] = [];

  /** @param more.runDir of a rig whose agent has ended */
  constructor(t: Test, more: { heapMib?: number; flows?: number; runDir?: string; hubble?: object } = {}) {
    const runDir = more.runDir ?? mkdtempSync(join(tmpdir(), 'sluice-observatory-'));
    mkdirSync(join(runDir, 'maps'), { recursive: true });
    this.config = loadConfig(undefined, {
      runDir,
      nodeName: 'node-1',
      'hubble.event-buffer-capacity': more.flows ?? 4095,
      ...more.hubble,
    });
    const open = ({ file, map }: PinnedFile<PinnedMap>, capacity?: number): PinnedMap => {
      const path = join(runDir, 'maps', file);
      if (more.runDir !== undefined) return map.open(path, mapFile);
      return map.create(path, capacity === undefined ? {} : { capacity }, mapFile);
    };
    this.events = open(PINNED.events, CAPACITY) as EventRing;
    this.dropEvents = open(PINNED.dropEvents, CAPACITY) as EventRing;
    this.words = open(PINNED.config) as ConfigMap;
    this.dropCounts = open(PINNED.dropCounts) as DropCountMap;
    open(PINNED.l7Events, CAPACITY);
    const note = (_: object, text: string): void => void this.logged.push(text);
    this.observatory = new Observatory({
      config: this.config,
      log: { info: note, warn: note, error: note } as never,
      snapshot: () => DIRECTORY,
      ...(more.heapMib !== undefined && { heapMib: more.heapMib }),
    });
    t.teardown(async () => {
      await this.observatory.stop();
      rmSync(runDir, { recursive: true, force: true });
    });
  }

  write(ring: EventRing, event: Event): void {
    ring.bytes.set(bytesOf(event), ring.next());
    ring.commit();
  }

  /** Many of the same. */
  flood(ring: EventRing, event: Event, count: number): void {
    const bytes = bytesOf(event);
    for (let i = 0; i < count; i++) {
      ring.bytes.set(bytes, ring.next());
      ring.commit();
    }
  }

  /** Waits until so many flows have been taken in since the start. */
  taken(count: number): Promise<void> {
    return waitFor(`${count} flows to be taken in`, () => this.observatory.counts.seen >= count);
  }

  async flows(query: string): Promise<Envelope[]> {
    let text = '';
    for await (const part of await this.open(query)) text += String(part);
    return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Envelope]));
  }

  open(query: string): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const socketPath = hubbleSocket(this.config.runDir);
      request({ socketPath, path: `/v1/flows?${query}`, agent: false }, resolve)
        .on('error', reject)
        .end();
    });
  }
}

t.test('a gRPC client is told the same, and what the agent has said', async (t) => {
  const rig = new Rig(t);
  rig.write(rig.events, { ...TRACE, timeMs: Date.now() });
  await rig.observatory.start();
  await rig.taken(1);
  const createConnection = () => connect(hubbleSocket(rig.config.runDir));
  const client = createClient(
    Observer,
    createGrpcTransport({ baseUrl: 'http://localhost', nodeOptions: { createConnection } }),
  );
  const [flow] = await allOf(client.getFlows({ number: 1n }));
  t.same(JSON.stringify(envelopeOf(flow)), JSON.stringify((await rig.flows('last=1'))[0]));
  const [{ flow: few, node_name: node }] = await rig.flows('last=1&fields=verdict,source.pod_name');
  t.strictSame([few, node], [{ verdict: 'FORWARDED', source: { pod_name: few?.source.pod_name } }, 'node-1']);
  for (const fields of ['colour', new Array(300).fill('time').join()])
    t.equal((await rig.open(`fields=${fields}`)).resume().statusCode, 400);
  const { namespaces } = await client.getNamespaces({});
  t.match(namespaces, [{ cluster: 'default', namespace: 'shop' }]);
  t.match(await client.serverStatus({}), { seenFlows: 1n, maxFlows: 4095n });
  const events = await allOf(client.getAgentEvents({}));
  const types = events.map(({ agentEvent }) => agentEvent?.notification.case);
  t.same(types, ['agentStart', 'policyUpdate', 'endpointUpdate', 'endpointUpdate', 'endpointRegenerate']);
});

async function allOf<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of stream) all.push(one);
  return all;
}

const summaryOf = ({ flow, lost_events }: Envelope): string =>
  flow === undefined ? `lost ${lost_events?.num_events_lost}` : `${flow.verdict} ${flow.destination.pod_name}`;

t.test('what the rings hold is served as flows in order of time, told with what the agent says of it', async (t) => {
  const rig = new Rig(t);
  rig.write(rig.events, { ...TRACE, timeMs: 1000 });
  rig.write(rig.dropEvents, { ...DROP, timeMs: 2000 });
  rig.write(rig.events, { ...TRACE, timeMs: 3000 });
  await rig.observatory.start();
  t.equal(statSync(hubbleSocket(rig.config.runDir)).mode & 0o777, 0o600);
  const flows = await rig.flows('last=10');
  t.same(flows.map(summaryOf), ['FORWARDED api-0', 'DROPPED api-0', 'FORWARDED api-0']);
  t.match(flows[1].flow, {
    node_name: 'node-1',
    uuid: /^00000000-07d0-8010-/,
    ingress_denied_by: [{ name: 'closed', namespace: 'shop', kind: 'NetworkPolicy' }],
  });
  t.equal(new Set(flows.map(({ flow }) => flow?.uuid)).size, 3);
  t.same(await rig.flows('last=10'), flows, 'they are the same when they are read again');
  t.match(rig.observatory.counts, { seen: 3, lost: 0, kept: 3, capacity: 4095, restarts: 0 });
  rig.observatory.learn({
    endpoints: [[API.id, { namespace: 'shop', podName: 'api-1', labels: [], identity: API.identity }]],
  });
  rig.write(rig.events, { ...TRACE, timeMs: 4000 });
  t.same(
    (await rig.flows('last=1')).map(summaryOf),
    ['FORWARDED api-1'],
    'a change is known before what comes after it',
  );
});

t.test('one that is switched off is no thread, and nothing is wrong', async (t) => {
  const rig = new Rig(t, { hubble: { 'hubble.enabled': false } });
  await rig.observatory.start();
  rig.observatory.learn(DIRECTORY);
  t.match(rig.observatory.counts, { seen: 0, capacity: 0, restarts: 0 });
  t.same(rig.observatory.problems(), []);
  t.notOk(existsSync(hubbleSocket(rig.config.runDir)));
});

t.test("the agent's own probes are nobody's flows", async (t) => {
  const rig = new Rig(t);
  await rig.observatory.start();
  const echo = (sequence: number): Event => {
    const bytes = new Uint8Array(8);
    const view = new DataView(bytes.buffer);
    view.setUint8(0, 8);
    view.setUint16(4, process.pid & 0xffff);
    view.setUint16(6, sequence);
    return { ...TRACE, protocol: 1, packet: frame(WEB.ip, API.ip, { protocol: 1, bytes }) };
  };
  rig.observatory.noteProbe(5, API.ip);
  for (const sequence of [5, 6]) rig.write(rig.events, echo(sequence));
  t.equal((await rig.flows('last=10')).length, 1);
});

t.test('a slow reader is told what it missed, and delays nobody', async (t) => {
  const rig = new Rig(t, { flows: 15 });
  await rig.observatory.start();
  const slow = await rig.open('follow=1&last=0');
  for (let i = 1; i <= 3; i++) {
    rig.flood(rig.events, TRACE, 4000);
    await rig.taken(4000 * i);
  }
  let text = '';
  for await (const part of slow) {
    text += String(part);
    if (text.includes('HUBBLE_RING_BUFFER')) break;
  }
  t.match(text, /"lost_events":\{"source":"HUBBLE_RING_BUFFER"/);
  t.equal((await rig.flows('last=20')).length, 15, 'others are served meanwhile');
  t.match(rig.observatory.counts, { seen: 12_000, lost: 0, kept: 15 });
});

t.test('a thread that dies of its heap limit is told and started anew, and flows go on where it stopped', async (t) => {
  const rig = new Rig(t, { heapMib: 32, flows: 65535 });
  await rig.observatory.start();
  const packet = frame('fd00::1', 'fd00::2', tcpOf(41000, 8080, 0)); // texts of IPv6 are made for each flow
  for (let i = 1; i <= 9; i++) {
    rig.flood(rig.events, { ...TRACE, packet }, 8000);
    await rig.taken(8000 * i);
  }
  t.equal(rig.observatory.counts.lost, 0);
  // Decoded, they need twice the heap. The answer breaks off.
  await t.rejects(rig.flows('first=65535&filter={"verdict":["DROPPED"]}'));
  await waitFor('the death to be told', () => rig.observatory.counts.restarts === 1);
  t.match(rig.logged, ['the observatory died and is started anew']);
  t.match(rig.observatory.problems(), [
    /^the observatory died: .*memory limit.*: no flows are told until it runs again$/,
  ]);
  rig.write(rig.dropEvents, DROP);
  await waitFor('flows to be told again', async () => {
    return (await rig.flows('last=10').catch(() => [])).map(summaryOf).join() === 'DROPPED api-0';
  });
  t.same(rig.observatory.problems(), []);
  t.match(rig.observatory.counts, { seen: 72_001, lost: 0, restarts: 1 });
});

t.test('stop() ends the thread and its socket, whatever clients wait for', async (t) => {
  const rig = new Rig(t);
  await rig.observatory.start();
  const follower = await rig.open('follow=1');
  const ended = new Promise((resolve) => follower.on('error', resolve).on('end', resolve).resume());
  await rig.observatory.stop();
  await ended;
  t.notOk(existsSync(hubbleSocket(rig.config.runDir)));
  t.same(rig.observatory.problems(), []);
});

t.test('drops that were counted are told as one flow for all alike, once', async (t) => {
  const rig = new Rig(t);
  const count = (times: number, srcIdentity: number): void => {
    for (let i = 0; i < times; i++) {
      rig.dropCounts.setKey(DROP_POLICY | (1 << 8) | (6 << 16), srcIdentity, API.identity, 0, API.id << 16, 3);
      rig.dropCounts.add(60, 5000 + i);
    }
  };
  const follow = (): void => rig.dropCounts.follow(rig.words.load(CONFIG_DROP_COUNTS_EPOCH));
  count(1000, 2);
  count(7, 300);
  await rig.observatory.start();
  await waitFor('the other half to be asked for', () => rig.words.load(CONFIG_DROP_COUNTS_EPOCH) === 1);
  follow();
  await rig.taken(2);
  const flows = (await rig.flows('all=1')).map(({ flow }) => flow);
  t.match(flows, [
    { aggregate: { ingress_flow_count: 7 }, source: { identity: 300 } },
    {
      time: '1970-01-01T00:00:05.999Z',
      verdict: 'DROPPED',
      drop_reason_desc: 'POLICY_DENIED',
      source: { identity: 2 },
      destination: { pod_name: 'api-0', identity: API.identity },
      ingress_denied_by: [{ name: 'closed' }],
      Summary: '1000 packets, 60000 bytes',
      aggregate: { ingress_flow_count: 1000 },
    },
  ]);
  count(1, 4);
  await waitFor('the first half to be asked for again', () => rig.words.load(CONFIG_DROP_COUNTS_EPOCH) === 2);
  await rig.observatory.stop();
  follow();
  const next = new Rig(t, { runDir: rig.config.runDir });
  await next.observatory.start();
  await next.taken(1);
  t.same(
    (await next.flows('all=1')).map(({ flow }) => flow?.Summary),
    ['1 packets, 60 bytes'],
    'by the next agent',
  );
});

t.test('the agent says how far it has read the drops', async (t) => {
  const rig = new Rig(t);
  await rig.observatory.start();
  rig.flood(rig.dropEvents, DROP, 3);
  await waitFor('three to be read', () => rig.words.load(CONFIG_DROPS_READ) === 3);
});

t.test(
  'a port that cannot be had and a certificate that is not taken are problems until they are mended',
  async (t) => {
    const folder = t.testdir();
    const [cert, key] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
    const made = [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-subj',
      '/CN=node',
    ];
    const renew = (): void =>
      void execFileSync('openssl', [...made, '-days', '2', '-keyout', key, '-out', cert], { stdio: 'ignore' });
    renew();
    const holder = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => holder.once('listening', resolve));
    const address = `127.0.0.1:${(holder.address() as AddressInfo).port}`;
    const options = { 'listen-address': [address], 'tls-cert-file': cert, 'tls-key-file': key };
    const rig = new Rig(t, {
      hubble: Object.fromEntries(Object.entries(options).map(([name, value]) => [`hubble.${name}`, value])),
    });
    await rig.observatory.start();
    const told = (pattern: RegExp | undefined) => () => {
      const problems = rig.observatory.problems();
      return pattern === undefined ? problems.length === 0 : problems.length === 1 && pattern.test(problems[0]);
    };
    await waitFor('the port to be told', told(new RegExp(`not served on ${address}: .*EADDRINUSE`)));
    t.match(rig.observatory.outlets.listeners, [{ address, problem: /EADDRINUSE/ }]);
    t.match(rig.observatory.api, { clients: 0, flowsRate: 0, lost: 0 });
    await new Promise((resolve) => holder.close(resolve));
    await waitFor('the port to be had', told(undefined));
    t.strictSame(rig.observatory.outlets.listeners, [{ address, problem: '' }]);
    const client = connect(Number(address.split(':')[1]), '127.0.0.1');
    await waitFor('the client to be counted', () => rig.observatory.api?.clients === 1);
    client.destroy();
    writeFileSync(cert, 'half of a renewal');
    await waitFor('the certificate to be told', told(/the certificate of before: read .*tls\.crt/));
    renew();
    await waitFor('the renewal to be taken', told(undefined));
  },
);
