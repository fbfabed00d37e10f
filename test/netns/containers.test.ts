/** Containers as the kubelet runs them: what they get of their pod, what they see of the machine, how they begin, end and begin again. */
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { isAlive, startTimeOf } from '../../linux/process-id.ts';
import { LAUNCHER } from '../../kubelet/runtime/launcher.ts';
import { Cleanup, waitFor } from '../command.ts';
import { KubeletRig } from './kubelet-rig.ts';

const name = `slct${process.pid.toString(36)}`;
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
t.jobs = 1;

let rig: KubeletRig;
t.before(async () => {
  rig = await KubeletRig.start(name, cleanup);
});

const sleeper = (more: object = {}): object => ({
  name: 'c',
  image: 'busybox',
  command: ['sleep', 'infinity'],
  ...more,
});

t.test('a container has the environment, files and folders that its pod names', async (t) => {
  rig.storage.create('configmaps', {
    kind: 'ConfigMap',
    metadata: { namespace: 'default', name: 'cfg' },
    data: { 'a.txt': 'one', KEY: 'of the map' },
  });
  rig.storage.create('secrets', {
    kind: 'Secret',
    metadata: { namespace: 'default', name: 'sec' },
    data: { pw: Buffer.from('hidden').toString('base64') },
  });
  rig.storage.create('services', {
    kind: 'Service',
    metadata: { namespace: 'default', name: 'web-db' },
    spec: { clusterIP: '10.96.0.7', ports: [{ port: 5432 }] },
  });
  rig.create(
    'full',
    {
      securityContext: { fsGroup: 2000 },
      initContainers: [
        {
          ...sleeper({ name: 'init', command: ['sh', '-c', 'echo made > /data/x'] }),
          volumeMounts: [{ name: 'd', mountPath: '/data' }],
        },
      ],
      containers: [
        sleeper({
          workingDir: '/work/here',
          env: [
            { name: 'WHO', value: 'me' },
            { name: 'GREETING', value: 'hi $(WHO) $(NOBODY) $$(WHO)' },
            { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
            { name: 'PW', valueFrom: { secretKeyRef: { name: 'sec', key: 'pw' } } },
            { name: 'CPUS', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
          ],
          envFrom: [{ configMapRef: { name: 'cfg' }, prefix: 'C_' }, { secretRef: { name: 'none', optional: true } }],
          resources: { limits: { memory: '64Mi' } },
          volumeMounts: [
            { name: 'c', mountPath: '/etc/cfg' },
            { name: 's', mountPath: '/sec' },
            { name: 'd', mountPath: '/data' },
            { name: 'd', mountPath: '/part', subPath: 'sub/folder' },
            { name: 'c', mountPath: '/one/a.txt', subPath: 'a.txt' },
            { name: 'p', mountPath: '/pod' },
          ],
        }),
      ],
      volumes: [
        { name: 'c', configMap: { name: 'cfg', items: [{ key: 'a.txt', path: 'a.txt' }] } },
        { name: 's', secret: { secretName: 'sec', defaultMode: 0o400 } },
        { name: 'd', emptyDir: { sizeLimit: '1Mi' } },
        {
          name: 'p',
          projected: {
            sources: [{ downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } }],
          },
        },
      ],
    },
    { labels: { app: 'full' } },
  );
  await rig.untilReady('full');
  const said = await rig.sh(
    'full',
    'echo "$GREETING|$POD|$PW|$CPUS|$C_KEY|$WEB_DB_SERVICE_HOST|$WEB_DB_PORT_5432_TCP|$HOSTNAME"; pwd; hostname',
  );
  t.equal(
    said,
    'hi me $(NOBODY) $(WHO)|full|hidden|64|of the map|10.96.0.7|tcp://10.96.0.7:5432|full\n/work/here\nfull\n',
  );
  t.equal(
    await rig.sh(
      'full',
      'cat /etc/cfg/a.txt /sec/pw /data/x /one/a.txt /pod/labels; stat -c %a-%g /data /sec/..data/pw',
    ),
    'onehiddenmade\noneapp="full"2777-2000\n440-2000\n',
  );
  t.match(await rig.sh('full', 'echo x > /sec/new'), /[Rr]ead-only/);
  t.match(
    await rig.sh('full', 'dd if=/dev/zero of=/data/big bs=100k count=20; rm /data/big'),
    /[Nn]o space/,
    'the limit of an emptyDir holds',
  );
  t.equal(await rig.sh('full', 'echo in > /part/f; cat /data/sub/folder/f'), 'in\n');
  rig.storage.update('configmaps', 'default', 'cfg', (map) => ({ ...map, data: { ...map['data'], 'a.txt': 'two' } }));
  await waitFor('the file to change', async () => (await rig.sh('full', 'cat /etc/cfg/a.txt')) === 'two');
  t.ok(rig.events.some((event) => event.startsWith('LimitsNoted')));
});

t.test('a container sees nothing of the machine but its programs, and writes nowhere on it', async (t) => {
  rig.create('seen', { containers: [sleeper()] });
  await rig.untilReady('seen');
  const marker = `/tmp/${name}-marker`;
  writeFileSync(marker, 'of the host');
  cleanup.command('rm', '-f', marker);
  for (const path of [
    marker,
    rig.runDir,
    process.cwd(),
    '/run/netns',
    '/etc/ssh',
    '/etc/sudoers',
    '/var/lib/dpkg',
    '/root/.ssh',
  ])
    t.equal((await rig.exec('seen', ['ls', path])).code, 1, path);
  t.notMatch(await rig.sh('seen', 'cat /etc/shadow'), /\$/);
  const paths = ['/usr/bin', '/usr/local', '/etc', '/tmp', '/root', '/var/lib', '/'].map(
    (folder) => `${folder}/${name}-x`,
  );
  await rig.sh('seen', paths.map((path) => `echo x > ${path}`).join('; '));
  t.equal(
    await rig.sh('seen', `cat ${paths.join(' ')} | wc -l`),
    `${paths.length}\n`,
    'each is there for the container',
  );
  t.strictSame(
    paths.filter((path) => existsSync(path)),
    [],
    'and none for the machine',
  );
  t.match(await rig.sh('seen', 'echo 1 > /proc/sys/kernel/panic; echo x > /sys/kernel/uevent_seqnum'), /[Rr]ead-only/);
  t.match(await rig.sh('seen', 'mknod /dev/vda b 254 0; mknod /tmp/m c 1 1'), /mknod.*\n.*mknod/s);
  t.match(await rig.sh('seen', 'mount -t tmpfs x /mnt'), /denied|permitted/);
  t.match(await rig.sh('seen', 'unshare -Ur true'), /not permitted/);
  const seen = (await rig.sh('seen', 'cat /proc/[0-9]*/comm')).trim().split('\n');
  t.strictSame(
    seen.filter((one) => !['cat', 'sh', 'sleep'].includes(one)),
    [],
    'its own processes, and those that ask',
  );
  t.ok(seen.includes('sleep') && seen.length < 5);
  t.equal((await rig.sh('seen', 'ls /proc/1/root/ >/dev/null && echo own')).trim(), 'own');
  t.match(
    await rig.sh('seen', 'python3 -c "import socket; socket.socket(40, 1)"'),
    /not supported|OSError/,
    'no sockets past the network namespace',
  );
  t.equal(
    await rig.sh('seen', 'ls -A /dev | sort | tr "\\n" " "'),
    'console fd full null ptmx pts random shm stderr stdin stdout termination-log tty urandom zero ',
  );
});

t.test("a command that is a link to /proc/self/exe gives nobody the launcher's file", async (t) => {
  rig.create('exe', { containers: [sleeper()] });
  await rig.untilReady('exe');
  const { mode, mtimeMs } = statSync(LAUNCHER);
  // It waits for somebody to write its spec.
  await rig.sh('exe', 'mkdir /tmp/x && mkfifo /tmp/x/spec && ln -s /proc/self/exe /tmp/run');
  const waiting = rig.exec('exe', ['/tmp/run', 'pod', '/tmp/x']);
  const find = 'for p in /proc/[0-9]*; do grep -qa "^/tmp/run" $p/cmdline && echo $p; done';
  let launcher = '';
  await waitFor('the launcher in the container', async () => (launcher = (await rig.sh('exe', find)).trim()) !== '');
  for (const attack of ['chmod 4777', 'touch', 'chown 1000'])
    t.match(await rig.sh('exe', `${attack} ${launcher}/exe 2>&1`), /[Rr]ead-only/, attack);
  t.strictSame({ mode, mtimeMs }, { mode: statSync(LAUNCHER).mode, mtimeMs: statSync(LAUNCHER).mtimeMs });
  await rig.sh('exe', `kill -9 ${launcher.replace('/proc/', '')}`);
  await waiting;
  rig.delete('exe', 0);
  await rig.untilGone('exe');
});

t.test('ids, capabilities and a read-only root are as the security context says', async (t) => {
  rig.create('bound', {
    securityContext: { runAsUser: 1234, runAsGroup: 5678, supplementalGroups: [77] },
    containers: [
      sleeper({
        securityContext: { readOnlyRootFilesystem: true, allowPrivilegeEscalation: false },
        volumeMounts: [{ name: 'd', mountPath: '/data' }],
      }),
      sleeper({ name: 'raw', securityContext: { runAsUser: 0, capabilities: { drop: ['ALL'], add: ['NET_RAW'] } } }),
    ],
    volumes: [{ name: 'd', emptyDir: {} }],
  });
  await rig.untilReady('bound');
  t.equal(
    await rig.sh('bound', 'id -u; id -g; id -G; grep NoNewPrivs /proc/self/status'),
    '1234\n5678\n5678 77\nNoNewPrivs:\t1\n',
  );
  t.match(await rig.sh('bound', 'echo x > /tmp/x; echo x > /usr/x'), /[Rr]ead-only.*[Rr]ead-only/s);
  t.equal(await rig.sh('bound', 'echo x > /data/x && cat /data/x'), 'x\n');
  t.equal(await rig.sh('bound', 'grep CapEff /proc/self/status', 'raw'), 'CapEff:\t0000000000002000\n');
  t.match(await rig.sh('bound', 'ip link set lo mtu 60000', 'raw'), /not permitted/);
  for (const [pod, spec, wanted] of [
    ['whole', { containers: [sleeper({ securityContext: { privileged: true } })] }, /privileged: found true/],
    ['host', { hostNetwork: true, containers: [sleeper()] }, /hostNetwork: found true/],
    [
      'admin',
      { containers: [sleeper({ securityContext: { capabilities: { add: ['SYS_ADMIN'] } } })] },
      /found SYS_ADMIN/,
    ],
    [
      'net',
      { containers: [sleeper({ securityContext: { capabilities: { add: ['NET_ADMIN'] } } })] },
      /found NET_ADMIN, which would reach the machine's interfaces/,
    ],
    [
      'path',
      {
        containers: [sleeper({ volumeMounts: [{ name: 'h', mountPath: '/h' }] })],
        volumes: [{ name: 'h', hostPath: { path: '/' } }],
      },
      /hostPath/,
    ],
    [
      'up',
      {
        containers: [sleeper({ volumeMounts: [{ name: 'd', mountPath: '/d', subPath: '../../etc' }] })],
        volumes: [{ name: 'd', emptyDir: {} }],
      },
      /subPath: found/,
    ],
    [
      'over',
      {
        containers: [sleeper({ volumeMounts: [{ name: 'd', mountPath: '/proc' }] })],
        volumes: [{ name: 'd', emptyDir: {} }],
      },
      /mountPath: found/,
    ],
    ['zero', { containers: [sleeper({ command: ['sh', '-c', 'a\0b'] })] }, /zero byte/],
  ] as const) {
    rig.create(pod, spec);
    await waitFor(`${pod} to be refused`, () => wanted.test(JSON.stringify(rig.status(pod).containerStatuses)));
    rig.delete(pod, 0);
  }
  t.pass('what would reach past the pod is refused with a sentence');
});

t.test('a link that a container leaves in a volume leads nowhere past it', async (t) => {
  rig.create('linked', {
    initContainers: [
      {
        ...sleeper({ name: 'i', command: ['sh', '-c', 'ln -s / /d/out; ln -s ../../../.. /d/up; ln -s /etc /d/etc'] }),
        volumeMounts: [{ name: 'd', mountPath: '/d' }],
      },
    ],
    containers: [sleeper({ volumeMounts: [{ name: 'd', mountPath: '/x', subPath: 'out' }] })],
    volumes: [{ name: 'd', emptyDir: {} }],
  });
  await waitFor('it to be refused', () => /subPath out/.test(JSON.stringify(rig.status('linked').containerStatuses)));
  t.equal(rig.status('linked').phase, 'Running', 'its init container has run');
  rig.delete('linked', 0);
  await rig.untilGone('linked');
});

t.test("a container gets none of the kubelet's own files, also one that is added later", async (t) => {
  rig.create('added', { containers: [sleeper()] });
  await rig.untilReady('added');
  const mine = { ...sleeper({ name: 'e' }), volumeMounts: [{ name: '_term', mountPath: '/t' }] };
  rig.storage.update('pods', 'default', 'added', (pod) => ({
    ...pod,
    spec: { ...pod['spec'], ephemeralContainers: [mine] },
  }));
  await waitFor('it to be refused', () =>
    rig.events.some((event) => event.startsWith('FailedMount container e mounts volume _term')),
  );
  t.throws(() => rig.container('added', 'e'), { code: 400 });
  rig.delete('added', 0);
  await rig.untilGone('added');
});

t.test('of containers that are added none has the rights of the machine, and there are 64', async (t) => {
  rig.create('many', { containers: [sleeper()] });
  await rig.untilReady('many');
  const mighty = { ...sleeper({ name: 'm' }), securityContext: { privileged: true } };
  const others = Array.from({ length: 63 }, (_, i) => ({ name: `n${i}`, image: 'nothing-that-stands-in' }));
  rig.storage.update('pods', 'default', 'many', (pod) => ({
    ...pod,
    spec: { ...pod['spec'], ephemeralContainers: [mighty, ...others, sleeper({ name: 'last' })] },
  }));
  for (const refusal of ['securityContext.privileged: found true', 'spec: found more than 64 ephemeral containers'])
    await waitFor(refusal, () => rig.events.some((event) => event.startsWith(`Failed Error: ${refusal}`)));
  for (const name of ['m', 'last']) t.throws(() => rig.container('many', name), { code: 400 });
  rig.delete('many', 0);
  await rig.untilGone('many');
});

t.test('probes, hooks and restarts are told as Kubernetes tells them', async (t) => {
  rig.create('probed', {
    containers: [
      {
        name: 'web',
        image: 'kennethreitz/httpbin',
        ports: [{ name: 'http', containerPort: 8090 }],
        startupProbe: { httpGet: { path: '/get', port: 'http' }, periodSeconds: 1, failureThreshold: 20 },
        readinessProbe: { tcpSocket: { port: 8090 }, periodSeconds: 1 },
        livenessProbe: { exec: { command: ['sh', '-c', 'test ! -e /tmp/ill'] }, periodSeconds: 1, failureThreshold: 1 },
        lifecycle: {
          postStart: { exec: { command: ['touch', '/tmp/begun'] } },
          preStop: { httpGet: { path: '/ip', port: 8090 } },
        },
      },
    ],
  });
  await rig.untilReady('probed');
  t.equal(await rig.sh('probed', 'ls /tmp'), 'begun\n');
  await rig.sh('probed', 'touch /tmp/ill');
  await waitFor('it to begin anew', () => rig.status('probed').containerStatuses?.[0].restartCount === 1);
  await rig.untilReady('probed');
  t.ok(rig.events.some((event) => /^Unhealthy Liveness probe failed/.test(event)));
  t.ok(rig.events.some((event) => event === 'Killing Container web failed liveness probe, will be restarted'));
  t.match(await rig.logs('probed', { previous: true }), /GET \/ip 200/, 'its preStop hook was asked before it ended');
  rig.delete('probed');
  await rig.untilGone('probed');

  rig.create('ends', { containers: [sleeper({ command: ['sh', '-c', 'echo why > /dev/termination-log; exit 7'] })] });
  await waitFor(
    'back-off',
    () =>
      rig.status('ends').containerStatuses?.[0].state.waiting?.reason === 'CrashLoopBackOff' &&
      rig.status('ends').containerStatuses?.[0].restartCount === 1,
  );
  const [{ lastState, state }] = rig.status('ends').containerStatuses ?? [];
  t.match(lastState.terminated, { exitCode: 7, reason: 'Error', message: 'why\n' });
  t.match(state.waiting?.message, /^back-off 10s restarting failed container=c pod=ends_default/);
  rig.delete('ends', 0);
  for (const [pod, policy, command, phase] of [
    ['done', 'Never', 'exit 0', 'Succeeded'],
    ['failed', 'Never', 'exit 3', 'Failed'],
    ['worked', 'OnFailure', 'exit 0', 'Succeeded'],
  ] as const) {
    rig.create(pod, { restartPolicy: policy, containers: [sleeper({ command: ['sh', '-c', command] })] });
    await waitFor(`${pod} to be ${phase}`, () => rig.status(pod).phase === phase);
    rig.delete(pod);
    await rig.untilGone(pod);
  }
  rig.create('unknown', { containers: [{ name: 'c', image: 'no/such:1' }] });
  await waitFor('its image to be missed', () =>
    /^(ErrImagePull|ImagePullBackOff)$/.test(rig.status('unknown').containerStatuses?.[0].state.waiting?.reason ?? ''),
  );
  t.match(rig.status('unknown').containerStatuses?.[0].state.waiting?.message, /set standIns of the configuration/);
  rig.delete('unknown', 0);
});

t.test('containers go on while there is no kubelet, and how they ended is known afterwards', async (t) => {
  rig.create('stays', {
    containers: [
      sleeper(),
      sleeper({ name: 'ender', command: ['sh', '-c', 'while [ ! -e /tmp/end ]; do sleep 0.1; done; exit 5'] }),
    ],
  });
  await rig.untilReady('stays');
  const { pid, startTime } = rig.container('stays');
  const { pid: ender } = rig.container('stays', 'ender');
  await rig.kubelet.stop(false);
  t.ok(isAlive({ pid, startTime }));
  writeFileSync(`/proc/${ender}/root/tmp/end`, '');
  await waitFor('the other to end', () => startTimeOf(ender) === '');
  await rig.restart();
  await waitFor('it to begin anew', () => rig.status('stays').containerStatuses?.[1].restartCount === 1);
  t.match(rig.status('stays').containerStatuses?.[1].lastState.terminated, { exitCode: 5 });
  t.match(rig.container('stays'), { pid, startTime }, 'what ran runs on');
  process.kill(
    Number(
      readFileSync(`${rig.runDir}/kube-api/containers/pods/${rig.get('stays')?.metadata.uid}/pids`, 'latin1').split(
        ' ',
      )[0],
    ),
    'SIGKILL',
  );
  await waitFor(
    'all to begin anew',
    () => rig.status('stays').containerStatuses?.every(({ restartCount }, at) => restartCount === 1 + at) === true,
  );
  await rig.untilReady('stays');
  t.ok(rig.events.some((event) => event.startsWith('SandboxChanged')));
});

t.test('a log is bounded, kept over a turn of its files, and read as it is asked for', async (t) => {
  rig.create('loud', {
    restartPolicy: 'Never',
    containers: [sleeper({ command: ['sh', '-c', 'seq 1 700000; printf end'] })],
  });
  await waitFor('it to end', () => rig.status('loud').phase === 'Succeeded', 60_000);
  const all = await rig.logs('loud');
  const lines = all.split('\n');
  t.equal(lines.at(-1), 'end');
  t.equal(lines.at(-2), '700000');
  t.ok(all.length < 21 * 2 ** 20 && lines.length > 100_000, 'two files of 10 MiB at most');
  t.strictSame(
    lines.slice(1, -1).map(Number),
    Array.from({ length: lines.length - 2 }, (_, at) => Number(lines[1]) + at),
    'nothing is missing between',
  );
  t.equal(await rig.logs('loud', { tailLines: 2 }), '700000\nend');
  t.equal(await rig.logs('loud', { tailLines: 3, limitBytes: 4 }), '6999');
  t.match(await rig.logs('loud', { tailLines: 1, timestamps: true }), /^\d{4}-\d\d-\d\dT[\d:]+\.\d{9}Z end$/);
  t.equal(await rig.logs('loud', { sinceTime: '2100-01-01T00:00:00Z' }), '');
  t.throws(() => rig.kubelet.logs('default', 'loud', { previous: true }), { code: 400 });
  t.throws(() => rig.kubelet.logs('default', 'loud', { container: 'x' }), { code: 400 });
  t.throws(() => rig.kubelet.logs('default', 'none', {}), { code: 404 });
  rig.delete('loud');
});

t.test('a command without a container runs in the network namespace alone', async (t) => {
  const { code, stdout } = await rig.execInNetns(['sh', '-c', 'readlink /proc/self/ns/net; exit 4']);
  t.equal(code, 4);
  t.not(stdout, readlinkSync('/proc/self/ns/net'));
  t.match(await rig.execInNetns(['no-such-program']), { code: 127, stderr: /executable file not found in \$PATH/ });
});

t.test("Kubernetes' own test image is stood in for, also its commands", async (t) => {
  const ports = [{ containerPort: 8180 }];
  rig.create('agnhost', {
    containers: [
      {
        name: 'a',
        image: 'registry.k8s.io/e2e-test-images/agnhost:2.47',
        command: ['/agnhost', 'serve-hostname', '--tcp', '--http=false', '--port=8180'],
        ports,
      },
      {
        name: 'b',
        image: 'agnhost',
        args: ['netexec', '--http-port=8181', '--udp-port', '8182'],
        readinessProbe: { httpGet: { path: '/healthz', port: 8181 }, periodSeconds: 1 },
      },
    ],
  });
  await rig.untilReady('agnhost');
  await waitFor(
    'it to serve',
    async () => (await rig.exec('agnhost', ['/agnhost', 'connect', '127.0.0.1:8180', '--timeout=1s'])).code === 0,
  );
  t.match(await rig.exec('agnhost', ['/agnhost', 'connect', '127.0.0.1:8189', '--timeout=1s']), {
    code: 1,
    stderr: 'REFUSED\n',
  });
  t.equal(
    await rig.sh('agnhost', 'curl -s "localhost:8181/dial?request=echo%20x&protocol=udp&host=127.0.0.1&port=8182"'),
    '{"responses":["x"]}',
  );
  rig.delete('agnhost', 0);
  await rig.untilGone('agnhost');
});

t.test('a pod cannot make processes without end', async (t) => {
  rig.create('bomb', {
    restartPolicy: 'Never',
    containers: [sleeper({ command: ['sh', '-c', 'f() { f | f & }; f; sleep 2; sleep 1000'] })],
  });
  await waitFor('it to be refused processes', async () => /fork/.test(await rig.logs('bomb').catch(() => '')), 30_000);
  rig.delete('bomb', 0);
  await rig.untilGone('bomb');
  t.pass();
});

t.test('fifty pods at once, and nothing is left when all end', async (t) => {
  const names = Array.from({ length: 50 }, (_, at) => `many-${at}`);
  const began = performance.now();
  for (const one of names) rig.create(one, { containers: [sleeper()] });
  await waitFor('all to be ready', () => names.every((one) => rig.condition(one, 'Ready')?.status === 'True'), 60_000);
  t.comment(`50 pods ready after ${Math.round(performance.now() - began)} ms`);
  await rig.kubelet.stop(true);
  const left = readdirSync('/proc').filter(
    (pid) => /^\d+$/.test(pid) && startTimeOf(Number(pid)) !== '' && commandOf(pid).includes(rig.runDir),
  );
  t.strictSame(left, []);
  t.notOk(existsSync(`${rig.runDir}/kube-api/containers`));
  t.strictSame(
    rig.logged.filter((line) => line.startsWith('error')),
    [],
  );
});

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
