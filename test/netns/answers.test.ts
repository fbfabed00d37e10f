/**
 * What the running instance says of itself: audit, what waits for a restart, and pods that nobody reaches.
 *
 *   <name>-host   sluiced, sluice-dataplane, <name>_host
 *     ├── veth ── <name>-shop-web
 *     └── TAP  ── <name>-shop-db
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Cleanup, must, waitFor } from '../command.ts';
import { SluiceInstance } from '../rig.ts';

const name = `sla${process.pid.toString(36)}`;
const host = `${name}-host`;
const cleanup = new Cleanup();
cleanup.command('ip', 'netns', 'del', host);
await must(['ip', 'netns', 'add', host]);
const instance = await SluiceInstance.start({
  name,
  cleanup,
  netns: host,
  netnsPrefix: `${name}-`,
  createNamespaces: true,
});
t.teardown(() => cleanup.finish());
t.teardown(() => instance.stop());
const manifests = join(instance.configFile, '../world.yaml');
const pod = (podName: string, annotations: string) => `apiVersion: v1
kind: Pod
metadata: { name: ${podName}, namespace: shop, labels: { app: ${podName} }, annotations: ${annotations} }
spec: { containers: [{ name: c, image: none, ports: [{ containerPort: 80 }] }] }
---
`;
writeFileSync(
  manifests,
  `${pod('web', '{}')}${pod('db', '{ sluice.io/attach: tap }')}apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: shop, annotations: { sluice.io/audit: "false" } }
spec:
  podSelector: { matchLabels: { app: db } }
  ingress:
    - from:
        - podSelector: { matchLabels: { app: web } }
      ports: [{ port: 80 }]
`,
);
await instance.apply(manifests);
await instance.untilReady(['shop/web', 'shop/db']);

t.test('status tells which options wait for a restart, until they are as they were or there was one', async (t) => {
  const text = readFileSync(instance.configFile, 'utf8');
  const reread = async (config: string) => {
    writeFileSync(instance.configFile, config);
    process.kill(Number(readFileSync(join(instance.runDir, 'sluiced.pid'), 'utf8')), 'SIGHUP');
  };
  const pending = async () => (await instance.read('/v1/status')).restartPending as string[];
  t.same(await pending(), []);
  await reread(`${text}\nlogLevel: debug\nmtu: 1400\npolicy: { policy-audit-mode: true }\n`);
  await waitFor('what is pending', async () => (await pending()).length === 2);
  t.same(await pending(), ['mtu', 'policy.policy-audit-mode']);
  t.match((await instance.cli('status')).stdout, /^Restart: +pending for mtu, policy.policy-audit-mode: SIGUSR2 /m);
  await reread(text);
  await waitFor('nothing to be pending', async () => (await pending()).length === 0);
  t.notMatch((await instance.cli('status')).stdout, /^(Restart|Audit):/m);
});

t.test('status tells what is only audited: pods, policies, the whole instance', async (t) => {
  const audit = async () => (await instance.read('/v1/status')).audit;
  t.same(await audit(), { instance: false, endpoints: [], policies: [] });
  const text = readFileSync(manifests, 'utf8');
  writeFileSync(
    manifests,
    text.replace('"false"', '"true"').replace('annotations: {}', 'annotations: { sluice.io/audit: "true" }'),
  );
  await instance.apply(manifests);
  t.same(await audit(), { instance: false, endpoints: ['shop/web'], policies: ['NetworkPolicy/shop/db'] });
  t.match(
    (await instance.cli('status')).stdout,
    /^Audit: +passes: all that is for or from shop\/web; what only NetworkPolicy\/shop\/db would drop$/m,
  );
  writeFileSync(manifests, text);
  await instance.apply(manifests);
  t.same(await audit(), { instance: false, endpoints: [], policies: [] });
  const config = readFileSync(instance.configFile, 'utf8');
  const again = async (now: string) => {
    writeFileSync(instance.configFile, now);
    process.kill(instance.agent.pid, 'SIGUSR2');
    await instance.restartAgent();
  };
  await again(`${config}\npolicy: { policy-audit-mode: true }\n`);
  t.match(await audit(), { instance: true });
  t.match(
    (await instance.cli('status')).stdout,
    /^Audit: +policy-audit-mode: what policy would drop passes, everywhere$/m,
  );
  t.match((await instance.cli('status', '--brief')).stdout, /^OK \(policy-audit-mode: /);
  await again(config);
  t.match(await audit(), { instance: false });
});

t.test('bpf policy get names the rules behind each entry, and cookie shows them', async (t) => {
  const db = (await instance.read('/v1/endpoints')).find((one: { pod: string }) => one.pod === 'db').id as number;
  const rule = `NetworkPolicy/shop/db spec.ingress[0] (${manifests}:17)`;
  const { stdout } = await instance.cli('bpf', 'policy', 'get', 'shop/db');
  const [line = ''] = stdout.split('\n').filter((one) => one.includes('80/TCP'));
  t.match(stdout, /COOKIE +ORIGINS\n/);
  t.ok(line.endsWith(rule), line);
  t.match(stdout, /allow-any-egress\n/, 'and what the compiler adds');
  const entries = JSON.parse((await instance.cli('bpf', 'policy', 'get', String(db), '-o', 'json')).stdout) as {
    cookie: number;
    port: number;
    origins: { line: number }[];
  }[];
  const entry = entries.find(({ port }) => port === 80);
  t.match(entry, { origins: [{ name: 'db', path: 'spec.ingress[0]', file: manifests, line: 17 }] });
  const shown = await instance.cli('cookie', String(entry?.cookie));
  t.match(shown, { code: 0, stdout: /^NetworkPolicy\/shop\/db spec\.ingress\[0\] .*:17\)\n {4}from:\n.*app: web/s });
  t.match(JSON.parse((await instance.cli('cookie', String(entry?.cookie), '-o', 'json')).stdout), [
    { kind: 'NetworkPolicy', line: 17, rule: { ports: [{ port: 80 }] } },
  ]);
  t.match(await instance.cli('cookie', '4000000000'), {
    code: 1,
    stderr: /find cookie 4000000000: no rule is behind it/,
  });
});

t.test(
  'verdict, explain, mapstate, selectors and matrix ask the running agent when no manifests are given',
  async (t) => {
    const rule = `NetworkPolicy/shop/db spec.ingress[0] (${manifests}:17)`;
    const flow = ['--from', 'shop/web', '--to', 'shop/db', '--port'];
    t.match(await instance.cli('policy', 'verdict', ...flow, '80'), { code: 0, stdout: /ingress: allowed .*shop\/db/ });
    const explained = await instance.cli('policy', 'explain', ...flow, '80');
    t.match(explained, { code: 0, stdout: /verdict: allowed/ });
    t.ok(explained.stdout.includes(rule), explained.stdout);
    const denied = await instance.cli('policy', 'explain', ...flow, '81');
    t.match(denied.stdout, 'verdict: denied');
    t.ok(denied.stdout.includes(`closed by NetworkPolicy/shop/db spec (${manifests}:15)`), denied.stdout);

    const entries = async (...line: string[]) =>
      (JSON.parse((await instance.cli(...line, '-o', 'json')).stdout) as Record<string, unknown>[])
        .map(({ cookie, identity, port, protocol, egress }) =>
          JSON.stringify({ cookie, identity, port, protocol, egress }),
        )
        .toSorted();
    for (const pod of ['shop/web', 'shop/db']) {
      const live = await entries('bpf', 'policy', 'get', pod);
      t.same(await entries('policy', 'mapstate', pod), live, 'identities and cookies are those of the maps');
    }
    t.match((await instance.cli('policy', 'selectors')).stdout, /app=db\S* +subject +1 +\d+ +shop\/db\n/);
    t.match((await instance.cli('policy', 'matrix')).stdout, /^world +allow +deny$/m);
  },
);

t.test('a live drop is explained by the flow alone', async (t) => {
  const { ipv4 } = (await instance.read('/v1/endpoints')).find((one: { pod: string }) => one.pod === 'db');
  await instance.inPod('shop/web', ['curl', '-s', '-m', '1', `http://${ipv4}:81/`]);
  const drop = async () => (await instance.cli('observe', '--last', '1', '--verdict', 'DROPPED', '-o', 'json')).stdout;
  await waitFor('the drop', async () => (await drop()) !== '');
  const file = join(manifests, '../flow.json');
  writeFileSync(file, await drop());
  const { code, stdout } = await instance.cli('policy', 'explain', '--flow', file);
  t.equal(code, 0);
  t.match(stdout, 'verdict: denied');
  t.ok(stdout.includes(`add to spec.ingress of NetworkPolicy/shop/db (${manifests}:15):`), stdout);
});
