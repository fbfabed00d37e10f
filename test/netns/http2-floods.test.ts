/**
 * Floods of HTTP/2 between real ends: each ends its own connection with the code that says so, the memory of the dataplane is bounded, and
 * a client beside it, on the same port of the same server, has all its answers.
 *
 *   <name>-shop-flooder ─┬─ Sluice (policy below) ─┬─ <name>-shop-node     http2-server.ts (nghttp2 in Node)
 *   <name>-shop-friend ──┘                         └─ <name>-shop-nghttpd  without limits of its own
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Cleanup, inNetns, isListening, must, run, waitFor } from '../command.ts';
import { SluiceInstance } from '../rig.ts';

const PORT = 8080;
const NODE = '10.244.0.11';
const NGHTTPD = '10.244.0.12';
const CONNECTIONS = 3;
const MAX_GROWTH_KIB = 65_536;

const cleanup = new Cleanup();
const name = `slgf${process.pid.toString(36)}`;
const dir = mkdtempSync(`/tmp/${name}-`);
cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
mkdirSync(join(dir, 'public'));
writeFileSync(join(dir, 'public/a'), 'a'.repeat(1000));

const pod = (app: string, last: number, command: readonly string[] = []) => `apiVersion: v1
kind: Pod
metadata: { name: ${app}, namespace: shop, labels: { app: ${app}, tier: ${command.length > 0 ? 'web' : 'client'} } }
spec: { containers: [{ name: main, image: example/${app}${command.length > 0 ? `, command: ${JSON.stringify(command)}` : ''} }] }
status: { podIPs: [{ ip: 10.244.0.${last} }] }
---
`;
writeFileSync(
  join(dir, 'rig.yaml'),
  `apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
${pod('flooder', 9)}${pod('friend', 10)}${pod('node', 11, [process.execPath, join(import.meta.dirname, 'http2-server.js'), String(PORT)])}${pod('nghttpd', 12, ['nghttpd', '--no-tls', '-d', dir, String(PORT)])}apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: web, namespace: shop }
spec:
  endpointSelector: { matchLabels: { tier: web } }
  ingress:
    - fromEndpoints: [{ matchLabels: { tier: client } }]
      toPorts:
        - ports: [{ port: "${PORT}", protocol: TCP }]
          rules: { http: [{ method: GET, path: "/public/.*" }, { method: POST, path: /public/upload }] }
`,
);
const instance = await SluiceInstance.withRig(name, cleanup, join(dir, 'rig.yaml'));
t.teardown(() => cleanup.finish());
t.teardown(() => instance.stop());
for (const app of ['node', 'nghttpd']) {
  await waitFor(`${app} to listen`, () => isListening(instance.netnsOf(`shop/${app}`), PORT));
}

interface End {
  code: number;
  end: string;
  resets: Record<string, number>;
}

async function flood(kind: string, server: string): Promise<End[]> {
  const script = join(import.meta.dirname, 'http2-flooder.js');
  const argv = [process.execPath, script, server, String(PORT), kind, String(CONNECTIONS)];
  return JSON.parse(await must(inNetns(instance.netnsOf('shop/flooder'), argv))) as End[];
}

/** One request after the other on one connection. @returns h2load's words about their times: least, most, mean */
async function friend(server: string): Promise<{ answered: string; times: string }> {
  const path = server === NODE ? '/public/bytes/1000' : '/public/a';
  const { stdout } = await run(
    inNetns(instance.netnsOf('shop/friend'), [
      'h2load',
      '-n',
      '500',
      '-c',
      '1',
      '-m',
      '1',
      `http://${server}:${PORT}${path}`,
    ]),
  );
  return {
    answered: /status codes: .*/.exec(stdout)?.[0] ?? stdout,
    times: (/time for request: *(.*)/.exec(stdout)?.[1] ?? '').split(/ +/).slice(0, 3).join(' '),
  };
}

const memoryKib = () =>
  instance
    .dataplanePids()
    .map((pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]))
    .reduce((sum, one) => sum + one, 0);

/** What each flood must end with: the code of GOAWAY, or which resets its streams get while the connection lives. */
const FLOODS: readonly (readonly [kind: string, server: string, wanted: number | Record<string, number>])[] = [
  ['rapid-reset', NGHTTPD, 11],
  ['made-reset-by-content', NGHTTPD, 11],
  ['made-reset-by-window', NGHTTPD, 11],
  ['continuation', NODE, 11],
  ['settings', NODE, 11],
  ['ping', NODE, 11],
  ['empty-data', NODE, 11],
  ['priority', NODE, 11],
  ['unknown', NODE, 11],
  ['hpack-bomb', NODE, 11],
  ['hpack-below-the-bomb', NODE, 11],
  ['closed-streams', NODE, { 5: 1 }],
  ['many-streams', NODE, { 7: 3000 - 1024 }],
  ['zero-windows', NGHTTPD, {}],
];

t.test('each flood ends as it must, and a client beside it has its answers', async (t) => {
  const quiet = await friend(NODE);
  t.match(quiet.answered, '500 2xx');
  await flood('ping', NODE); // what the first of its kind makes is no growth
  const before = memoryKib();
  t.comment(`without a flood: ${quiet.times}; ${before} KiB`);
  for (const [kind, server, wanted] of FLOODS) {
    const [ends, beside] = await Promise.all([flood(kind, server), friend(server)]);
    const found = ends.map(({ code, end, resets }) =>
      typeof wanted === 'number' ? code : end === 'held' && code === -1 ? resets : end,
    );
    t.strictSame(
      found,
      ends.map(() => wanted),
      `${kind}: ${JSON.stringify(ends)}`,
    );
    t.match(beside.answered, '500 2xx', `${kind}: ${beside.answered}`);
    const growth = memoryKib() - before;
    t.ok(growth < MAX_GROWTH_KIB, `${kind}: ${growth} KiB more`);
    t.comment(`${kind}: ${beside.times}; ${growth} KiB more`);
  }
  const { stdout } = await instance.cli('bpf', 'metrics', 'list');
  t.match(stdout, /http_errors.*flood/);
});
