/**
 * What the running instance says of itself: audit, what waits for a restart, and pods that nobody reaches. Two instances side by side,
 * since what is put back waits for the next look at each pod:
 *
 *   <name>-host   sluiced, sluice-dataplane, <name>_host
 *     ├── veth ── <name>-shop-web
 *     └── TAP  ── <name>-shop-db
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Cleanup, must, mustAll, waitFor } from '../command.ts';
import { OWN_RANGE, SluiceInstance } from '../rig.ts';

const pod = (podName: string, annotations: string) => `apiVersion: v1
kind: Pod
metadata: { name: ${podName}, namespace: shop, labels: { app: ${podName} }, annotations: ${annotations} }
spec: { containers: [{ name: c, image: none, ports: [{ containerPort: 80 }] }] }
---
`;

/** An instance with the two pods and a policy, and what is asked of them. */
async function world(t: Test, track: string) {
  const name = `sla${process.pid.toString(36)}${track}`;
  const host = `${name}-host`;
  const cleanup = new Cleanup();
  t.teardown(() => cleanup.finish());
  cleanup.command('ip', 'netns', 'del', host);
  await must(['ip', 'netns', 'add', host]);
  const instance = await SluiceInstance.start({
    name,
    cleanup,
    netns: host,
    netnsPrefix: `${name}-`,
    createNamespaces: true,
    config: 'healthProbeInterval: 1',
  });
  const manifests = join(instance.configFile, '../world.yaml');
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
  t.teardown(() => instance.stop());
  await instance.apply(manifests);
  await instance.untilReady(['shop/web', 'shop/db']);

  const netnsOf = (podName: string) => instance.netnsOf(`shop/${podName}`);
  const inWeb = (line: string) => must(['ip', '-n', netnsOf('web'), ...line.split(' ')]);
  const endpoint = async (podName: string) =>
    (await instance.read('/v1/endpoints')).find((one: { pod: string }) => one.pod === podName);
  /** Both families, both ways: what the pods need their interfaces, addresses and routes for. */
  async function untilTheyTalk(): Promise<void> {
    const [web, db] = [await endpoint('web'), await endpoint('db')];
    for (const [from, to] of [
      ['web', db],
      ['db', web],
    ] as const) {
      for (const address of [to.ipv4, to.ipv6]) {
        const answers = async () => (await instance.inPod(`shop/${from}`, ['ping', '-c1', '-W1', address])).code === 0;
        await waitFor(`${from} to reach ${address}`, answers);
      }
    }
  }
  /** The log tells each fault and its end. */
  async function untilPutBack(fault: string): Promise<void> {
    const told = () => instance.agent.output().includes(`\"put back: ${fault}`);
    await waitFor(`"${fault}" to be put back`, told).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${instance.agent.output()}`);
    });
    await instance.untilReady(['shop/web', 'shop/db']);
    await untilTheyTalk();
  }

  return { name, host, cleanup, instance, manifests, netnsOf, inWeb, endpoint, untilTheyTalk, untilPutBack };
}

t.jobs = 2;
t.test('what it tells', { buffered: true }, async (t) => {
  const { instance, manifests, netnsOf, host, endpoint } = await world(t, 'a');
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
      t.match(await instance.cli('policy', 'verdict', ...flow, '80'), {
        code: 0,
        stdout: /ingress: allowed .*shop\/db/,
      });
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
    const drop = async () =>
      (await instance.cli('observe', '--last', '1', '--verdict', 'DROPPED', '-o', 'json')).stdout;
    await waitFor('the drop', async () => (await drop()) !== '');
    const file = join(manifests, '../flow.json');
    writeFileSync(file, await drop());
    const { code, stdout } = await instance.cli('policy', 'explain', '--flow', file);
    t.equal(code, 0);
    t.match(stdout, 'verdict: denied');
    t.ok(stdout.includes(`add to spec.ingress of NetworkPolicy/shop/db (${manifests}:15):`), stdout);
  });

  t.test('a pod that answers nobody is unreachable, though all is as it was made', async (t) => {
    const ignore = (value: number) =>
      must([
        'ip',
        'netns',
        'exec',
        netnsOf('web'),
        'sysctl',
        '-qw',
        `net.ipv4.icmp_echo_ignore_all=${value}`,
        `net.ipv6.icmp.echo_ignore_all=${value}`,
      ]);
    const since = new Date().toISOString();
    await ignore(1);
    await waitFor('it to be missed', async () => (await endpoint('web')).state === 'unreachable');
    t.match(
      (await instance.cli('endpoint', 'list', '-o', 'wide')).stdout,
      /unreachable .*answers no echo request of the host/,
    );
    t.match(
      (await instance.cli('status')).stdout,
      /Problems:\n {2}pod shop\/web: answers no echo request of the host at /,
    );
    await ignore(0);
    await instance.untilReady(['shop/web']);
    // Those of the agents before are not known to this one, and what is dropped is told: of a pod that has just gone.
    const echoes = (await instance.flows()).filter(
      ({ l4, IP, time, verdict }) =>
        time > since && verdict === 'FORWARDED' && IP?.source === `${OWN_RANGE.ipv4}.1` && (l4?.ICMPv4 ?? l4?.ICMPv6),
    );
    t.same(echoes, [], 'probes are no flows to observe');
    const { ipv4 } = await endpoint('web');
    await must(['ip', 'netns', 'exec', host, 'ping', '-c1', '-W5', ipv4]);
    const isTold = async () => (await instance.flows()).some(({ l4, IP }) => IP?.destination === ipv4 && l4?.ICMPv4);
    await waitFor('the ping of a user to be told', isTold);
  });
});

t.test('what it mends', { buffered: true }, async (t) => {
  const { name, host, cleanup, instance, manifests, netnsOf, inWeb, endpoint, untilTheyTalk, untilPutBack } =
    await world(t, 'b');
  t.test('what a pod lost of its interface is put back', async () => {
    await instance.call(
      'POST',
      '/v1/delete?file=x',
      JSON.stringify([{ kind: 'NetworkPolicy', namespace: 'shop', name: 'db' }]),
    );
    await untilTheyTalk();
    const both = await Promise.all(['web', 'db'].map(async (podName) => ({ podName, ...(await endpoint(podName)) })));
    const inBoth = async (line: string) => {
      for (const { podName } of both) await must(['ip', '-n', netnsOf(podName), ...line.split(' ')]);
    };
    await inBoth('link set eth0 down');
    for (const { ipv6 } of both) await untilPutBack(`eth0 is down, lacks ${ipv6}`);
    await inBoth('addr flush dev eth0');
    for (const { ipv4, ipv6 } of both) await untilPutBack(`eth0 lacks ${ipv4}, ${ipv6}`);
    await inWeb('link set eth0 address 02:00:00:00:00:99');
    await must(['ip', '-n', netnsOf('db'), 'link', 'del', 'eth0']);
    await untilPutBack('eth0 has another MAC');
    const { interface: pair } = await endpoint('web');
    await must(['ip', '-n', host, 'link', 'set', pair, 'down']);
    await untilPutBack(`${pair} is down`);
  });

  t.test('what the owner of a namespace made there stays: other routes, addresses, interfaces', async (t) => {
    await mustAll(`ip -n ${netnsOf('web')} link add other0 type veth peer name other1
ip -n ${netnsOf('web')} link set other0 up
ip -n ${netnsOf('web')} route replace default dev other0
ip -n ${netnsOf('web')} addr add 192.0.2.77/32 dev eth0
ip -n ${netnsOf('web')} link set eth0 mtu 1400`);
    const { ipv6 } = await endpoint('web');
    await inWeb(`addr del ${ipv6}/128 dev eth0`);
    await waitFor('the address to be back', async () => (await inWeb('addr show dev eth0')).includes(`${ipv6}/128`));
    t.match(await inWeb('route show default'), /^default dev other0/);
    t.match(await inWeb('addr show dev eth0'), /mtu 1400.*192\.0\.2\.77\/32/s);
    await mustAll(`ip -n ${netnsOf('web')} link del other0
ip -n ${netnsOf('web')} addr del 192.0.2.77/32 dev eth0`);
    await untilPutBack('eth0 has no default route of IPv4');
  });

  t.test('an interface of others that is down is told and left alone', async (t) => {
    const own = `${name}own`;
    await mustAll(`ip netns add ${netnsOf('own')}
ip -n ${host} link add ${own} type veth peer name eth0 netns ${netnsOf('own')}
ip -n ${host} link set ${own} up
ip -n ${netnsOf('own')} link set eth0 up`);
    cleanup.command('ip', 'netns', 'del', netnsOf('own'));
    const file = join(manifests, '../own.yaml');
    const status = `status: { podIPs: [{ ip: ${OWN_RANGE.ipv4}.99 }] }\n---\n`;
    writeFileSync(file, pod('own', `{ sluice.io/interface: ${own} }`).replace('---\n', status));
    await instance.apply(file);
    const told = (what: RegExp) => async () => what.test((await endpoint('own')).problem ?? '');
    await must(['ip', '-n', netnsOf('own'), 'link', 'set', 'eth0', 'down']);
    await waitFor('its peer to be missed', told(/has no carrier: its other end is down/));
    await must(['ip', '-n', host, 'link', 'set', own, 'down']);
    await waitFor('it to be told', told(/which others made, is down: ip link set/));
    t.match((await instance.cli('get', 'pods', '-n', 'shop')).stdout, /^own +0\/1 +unreachable/m);
    t.match(
      (await instance.cli('status')).stdout,
      new RegExp(`pod shop/own: interface ${own}, which others made, is down`),
    );
    t.match(await must(['ip', '-n', host, 'link', 'show', own]), /state DOWN/);
    await instance.delete(file);
  });
});
