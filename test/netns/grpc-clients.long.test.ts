/**
 * gRPC under rules, with further clients than http2.test.ts has: grpc-js, grpc-go and grpcurl, each fetched and built here where its registry is
 * at hand. All calls of a client go over one channel, which is one connection: denied calls do not end it.
 *
 *   <name>-shop-client ── Sluice (policy below) ── <name>-shop-grpc   grpc-peer.py (gRPC C core)
 */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PACKAGE_ROOT } from '../../linux/package-root.ts';
import { Cleanup, inNetns, isListening, must, run, waitFor } from '../command.ts';
import { SluiceInstance } from '../rig.ts';
import { fetched, npmInstall, succeeds } from './fetched.ts';

const SOURCES = join(PACKAGE_ROOT, 'test/netns/grpc-clients');
const GRPC_JS = '@grpc/grpc-js@1.14.7';
const PORT = 50051;
const SERVER = '10.244.0.14';

const grpcJs = await fetched('sluice-grpc-js-1.14.7', (folder) => npmInstall(folder, GRPC_JS));
const go = await fetched('sluice-grpc-go-1.85.0', async (folder) => {
  cpSync(SOURCES, folder, { recursive: true });
  return (
    (await succeeds(['go', 'mod', 'tidy'], folder)) &&
    (await succeeds(['go', 'build', '-o', 'client', '.'], folder)) &&
    (await succeeds(['go', 'build', '-o', 'grpcurl', 'github.com/fullstorydev/grpcurl/cmd/grpcurl'], folder))
  );
});

const cleanup = new Cleanup();
const name = `slgc${process.pid.toString(36)}`;
const dir = mkdtempSync(`/tmp/${name}-`);
cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
writeFileSync(
  join(dir, 'rig.yaml'),
  `apiVersion: v1
kind: Pod
metadata: { name: client, namespace: shop, labels: { app: client } }
spec: { containers: [{ name: shell, image: example/shell }] }
status: { podIPs: [{ ip: 10.244.0.10 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: grpc, namespace: shop, labels: { app: grpc } }
spec: { containers: [{ name: server, image: example/server, command: [/usr/bin/python3, ${join(PACKAGE_ROOT, 'test/netns/grpc-peer.py')}, server, "${PORT}"] }] }
status: { podIPs: [{ ip: ${SERVER} }] }
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: calls, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: grpc } }
  ingress:
    - fromEndpoints: [{ matchLabels: { app: client } }]
      toPorts: [{ ports: [{ port: "${PORT}", protocol: TCP }], rules: { http: [{ method: POST, path: "/shop[.]Open/.*" }] } }]
`,
);
const instance = await SluiceInstance.withRig(name, cleanup, join(dir, 'rig.yaml'));
t.teardown(() => cleanup.finish());
t.teardown(() => instance.stop());
await waitFor('the server to listen', () => isListening(instance.netnsOf('shop/grpc'), PORT));
const inClient = (argv: readonly string[]) => run(inNetns(instance.netnsOf('shop/client'), argv));

/** Connections that the server has taken. */
async function accepted(): Promise<number> {
  const counters = await must(inNetns(instance.netnsOf('shop/grpc'), ['nstat', '-asz', 'TcpPassiveOpens']));
  return Number(/TcpPassiveOpens +(\d+)/.exec(counters)?.[1]);
}

const KINDS: readonly (readonly [kind: string, method: string, answer: RegExp])[] = [
  ['unary', 'Unary', /^cbacbacba$/],
  ['server', 'Numbers', /^100$/],
  ['client', 'Total', /^4950$/],
  ['both', 'Echo', /^4950$/],
];
const CALLS = KINDS.flatMap(([kind, method]) => [`/shop.Open/${method}`, kind, `/shop.Secret/${method}`, kind]);
const FAILS = ['/shop.Open/Fails', 'unary'];

const CLIENTS: readonly (readonly [
  name: string,
  argv: readonly string[] | undefined,
  denied: RegExp,
  failed: RegExp,
])[] = [
  [
    'grpc-js',
    grpcJs === undefined
      ? undefined
      : [process.execPath, join(SOURCES, 'client.mjs'), join(grpcJs, 'node_modules/@grpc/grpc-js')],
    /^PERMISSION_DENIED Access denied$/,
    /^NOT_FOUND nothing here$/,
  ],
  [
    'grpc-go',
    go === undefined ? undefined : [join(go, 'client')],
    /^PermissionDenied Access denied$/,
    /^NotFound nothing here$/,
  ],
];

for (const [client, argv, denied, failed] of CLIENTS) {
  if (argv === undefined) {
    t.test(`NOT TRIED, it could not be fetched: ${client}`, { skip: 'no registry' }, async () => {});
    continue;
  }
  t.test(`${client}: four kinds of call, allowed and denied in turn, over one connection`, async (t) => {
    const before = await accepted();
    const { stdout, stderr } = await inClient([...argv, `${SERVER}:${PORT}`, ...CALLS, ...FAILS]);
    const said = stdout.trim().split('\n');
    t.equal(said.length, KINDS.length * 2 + 1, stderr);
    KINDS.forEach(([kind, , answer], i) => {
      t.match(said[2 * i], answer, kind);
      t.match(said[2 * i + 1], denied, `${kind}, denied`);
    });
    t.match(said.at(-1), failed);
    t.equal((await accepted()) - before, 1);
  });
}

if (go === undefined) t.test('NOT TRIED, it could not be built: grpcurl', { skip: 'no Go' }, async () => {});
else {
  t.test('grpcurl: unary and both ways, and what is denied', async (t) => {
    const grpcurl = (method: string, text: string) =>
      inClient([
        join(go, 'grpcurl'),
        ...['-plaintext', '-import-path', SOURCES, '-proto', 'shop.proto', '-d', text, `${SERVER}:${PORT}`, method],
      ]);
    t.match((await grpcurl('shop.Open/Same', '{"text":"abc"}')).stdout, '"text": "abc"');
    t.match((await grpcurl('shop.Open/Echo', '{"text":"one"}{"text":"two"}')).stdout, /"one"[^]*"two"/);
    t.match((await grpcurl('shop.Open/Fails', '{}')).stderr, /Code: NotFound/);
    const denied = await grpcurl('shop.Secret/Same', '{"text":"abc"}');
    t.match(denied.stderr, /Code: PermissionDenied\s+Message: Access denied/);
    t.equal(denied.stdout, '');
  });
}

t.test('flows have method and status', async (t) => {
  await waitFor('both to be told', async () => {
    const { stdout } = await instance.cli('observe', '--last', '1000', '-t', 'l7', '-o', 'json');
    const flows = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const told = (verdict: string, url: RegExp, status?: string) =>
      flows.some((flow) => {
        const { http } = (flow.flow ?? flow).l7 ?? {};
        const headers = Object.fromEntries((http?.headers ?? []).map(({ key, value }: any) => [key, value]));
        return (
          (flow.flow ?? flow).verdict === verdict && url.test(http?.url ?? '') && headers['Grpc-Status'] === status
        );
      });
    return told('DROPPED', /\/shop\.Secret\/Same$/) && told('FORWARDED', /\/shop\.Open\/Fails$/, '5');
  });
  t.pass('told');
});
