/**
 * Hubble's own command line against our sockets: what it prints of what we tell. Where there is no Go, or its module proxy does not
 * answer, the tests are skipped and say so. Protos are compared with those that the client was built from.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createFileRegistry, type DescMessage, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import t from 'tap';
import { run } from '../../../test/command.ts';
import { FakeSource } from '../../../test/hubble/observer-source.ts';
import { BUILD_MS, stockClient, stockProtos } from '../../../test/hubble/stock-client.ts';
import { file_observer_observer } from '../../../hubble/proto/observer/observer_pb.ts';
import { file_flow_flow } from '../../../hubble/proto/flow/flow_pb.ts';
import { file_peer_peer } from '../../../hubble/proto/peer/peer_pb.ts';
import { file_relay_relay } from '../../../hubble/proto/relay/relay_pb.ts';
import { FlowServer } from '../flow-server.ts';
import { ObserverApi } from './observer-api.ts';

t.setTimeout(2 * BUILD_MS);
const { client = '', reason } = await stockClient();
const skip = reason ?? false;

const source = new FakeSource();
source.fill(300);
source.agentEvents.write({
  agent_event: { type: 'ENDPOINT_CREATED', endpoint_update: { id: '7', pod_name: 'web-0', namespace: 'shop' } },
  node_name: 'node-1',
  time: '2026-01-02T03:04:05Z',
});
const api = new ObserverApi(source);
const server = new FlowServer([api]);
const path = join(t.testdir(), 'hubble.sock');
await server.listen({ path, groupId: undefined });
const port = await server.listen({ host: '127.0.0.1', port: 0 });
t.teardown(() => server.stop());

/** What `hubble` prints, without its standard error. */
async function hubble(...args: readonly string[]): Promise<string> {
  const { stdout, stderr, code } = await run([client, ...args], { env: { HUBBLE_SERVER: `unix://${path}` } });
  return code === 0 ? stdout : `${stdout}${stderr}`;
}

t.test('hubble observe prints what its server keeps', { skip }, async (t) => {
  const all = await hubble('observe', '--all', '-o', 'jsonpb');
  const kept = Array.from({ length: 300 }, (_, i) => JSON.stringify(source.flows.at(i)));
  t.same(all.trimEnd().split('\n').length, 300);
  // tlsSNI is ours: the client does not know it.
  t.equal(all, `${kept.join('\n').replaceAll(/,"tlsSNI":"[^"]*"/g, '')}\n`, 'to the letter');
  t.equal(
    await hubble('observe', '--last', '2', '--verdict', 'DROPPED', '--print-policy-names'),
    'Jan  2 03:04:05.299: shop/web-0:41000 (ID:1234) <> shop/api-0:8080 (ID:2345) policy-verdict:none INGRESS DENIED BY default-deny (NetworkPolicy) (TCP Flags: SYN)\n' +
      'Jan  2 03:04:05.300: shop/web-0:41000 (ID:1234) <> shop/api-0:8080 (ID:2345) Policy denied DROPPED (TCP Flags: SYN)\n',
  );
  const counts: readonly (readonly [number, ...string[]])[] = [
    [20],
    [5, '--last', '5'],
    [5, '--first', '5'],
    [300, '--all'],
    [0, '--all', '--pod', 'nosuch/'],
    [300, '--since', '2026-01-02T03:04:00Z'],
    [11, '--since', '2026-01-02T03:04:05.290Z'],
    [10, '--until', '2026-01-02T03:04:05.010Z', '--since', '2026-01-01T00:00:00Z'],
  ];
  for (const [count, ...args] of counts) {
    const lines = (await hubble('observe', ...args)).split('\n').length - 1;
    t.equal(lines, count, args.join(' '));
  }
});

t.test('its filters and ours choose the same flows', { skip }, async (t) => {
  const flags = [
    '--verdict DROPPED',
    '--not --verdict DROPPED',
    '--type l7',
    '--type drop',
    '--type trace:to-endpoint',
    '--protocol tcp',
    '--protocol dns',
    '--protocol http',
    '--from-pod shop/web-0',
    '--to-pod shop/',
    '--namespace shop',
    '--ip 10.0.0.1',
    '--from-ip 10.0.0.0/30',
    '--port 8080',
    '--to-port 53',
    '--label k8s:app=web',
    '--identity 1234',
    '--from-identity world',
    '--http-method GET',
    '--http-status 200',
    '--http-status 4+',
    '--http-path ^/x',
    '--tcp-flags SYN,ACK',
    '--drop-reason-desc POLICY_DENIED',
    '--traffic-direction ingress',
    '--ipv4',
    '--ipv6',
    '--interface lxcabc',
    '--workload web',
    '--trace-id 0af7651916cd43dd8448eb211c80319c',
    '--node-name node-*',
    '--uuid 17',
    '--encrypted',
    '--unencrypted',
    '--snat-ip 192.0.2.1',
    '--ip-trace-id 7',
  ];
  for (const text of flags) {
    const all = await hubble('observe', '--all', '-o', 'jsonpb', ...text.split(' '));
    const lines = all.split('\n').filter((line) => line !== '');
    t.ok(
      lines.every((line) => line.startsWith('{"flow":')),
      `${text}: ${lines[0]?.slice(0, 200)}`,
    );
    // The client's own filters over the same flows, read from a file, are what ours are held to.
    const input = Array.from({ length: 300 }, (_, i) =>
      JSON.stringify(source.flows.at(i)).replace(/,"tlsSNI":"[^"]*"/, ''),
    );
    const args = [client, 'observe', '--input-file', '-', '-o', 'jsonpb', ...text.split(' ')];
    const own = await run(args, { input: `${input.join('\n')}\n` });
    t.equal(own.stdout, all, text);
  }
  t.match(await hubble('observe', '--cel-expression', 'true'), 'CEL expressions are not supported');
});

t.test('status, nodes, namespaces, peers, events, reflection', { skip }, async (t) => {
  t.equal(
    await hubble('status'),
    `Healthcheck (via unix://${path}): Ok\nCurrent/Max Flows: 300/4,095 (7.33%)\nFlows/s: 5.00\nConnected Nodes: 1/1\n`,
  );
  t.match(await hubble('status', '--server', `127.0.0.1:${port}`), /Healthcheck \(via 127\.0\.0\.1:\d+\): Ok/);
  t.match(await hubble('list', 'nodes', '-o', 'wide'), /node-1 +Connected .*300\/4095 .*sluice 0\.1\.0 .*Disabled/);
  t.equal(await hubble('list', 'namespaces'), 'NAMESPACE\nfar\nshop\n');
  t.match(await hubble('observe', 'agent-events'), 'ENDPOINT_CREATED (id: 7, namespace: shop, pod name: web-0)');
  t.equal(await hubble('observe', 'debug-events'), '');
  t.match(await hubble('reflect'), '"name":"flow/flow.proto"');
  const peers = await run(['timeout', '2', client, 'watch', 'peers', '--server', `unix://${path}`]);
  t.match(peers.stdout, /PEER_ADDED +node-1/);
});

t.test('messages, fields and numbers are those of the client', { skip }, async (t) => {
  const folder = await stockProtos();
  const out = join(t.testdir(), 'protos.binpb');
  const files = ['flow', 'observer', 'peer', 'relay'].flatMap((name) => ['--path', name]);
  const buf = join(import.meta.dirname, '../../../../node_modules/.bin/buf');
  const made = await run([buf, 'build', ...files, '-o', out], { cwd: folder });
  t.equal(made.code, 0, made.stderr);
  const theirs = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(out)));
  const ours = [file_flow_flow, file_observer_observer, file_peer_peer, file_relay_relay];
  const shapeOf = ({ fields }: DescMessage) =>
    fields.map((field) => [
      field.number,
      field.name,
      field.fieldKind,
      field.message?.typeName ?? field.enum?.typeName ?? field.scalar,
    ]);
  let compared = 0;
  for (const file of ours) {
    for (const message of file.messages) {
      const own = { ...message, fields: message.fields.filter(({ name }) => name !== 'tlsSNI') };
      t.same(shapeOf(own), shapeOf(theirs.getMessage(message.typeName)!), message.typeName);
      compared++;
    }
    for (const one of file.enums) {
      const values = ({ values: all }: typeof one) => all.map(({ name, number }) => [name, number]);
      t.same(values(one), values(theirs.getEnum(one.typeName)!), one.typeName);
    }
    for (const service of file.services) {
      const methods = ({ methods: all }: typeof service) =>
        all.map(({ name, methodKind, input, output }) => [name, methodKind, input.typeName, output.typeName]);
      t.same(methods(service), methods(theirs.getService(service.typeName)!), service.typeName);
    }
  }
  t.ok(compared > 60, `${compared} messages`);
});
