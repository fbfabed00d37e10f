/**
 * kubectl into pods: exec, cp, attach, logs, port-forward and run, by Debian's kubectl (SPDY) and by a newer one (WebSocket).
 *
 *   kubectl --HTTPS--> API and kubelet of this process --> containers in the network namespace slkx
 */
import t from 'tap';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { KubeObject } from '../../apiserver/storage/kube-object.ts';
import { Cleanup, waitFor } from '../command.ts';
import { freePort } from '../free-port.ts';
import { type Kubectl, kubectls } from '../kubectls.ts';
import { KubectlRig } from './kubectl-rig.ts';
import { KubeletRig } from './kubelet-rig.ts';

const TERMINAL = join(import.meta.dirname, '../../../test/netns/terminal.py');
const MEGABYTES = 50;
const shell = (name: string, script: string, more: object = {}) => ({
  name,
  image: 'busybox',
  command: ['sh', '-c', script],
  ...more,
});
const SERVER =
  'import http.server as h\nclass H(h.BaseHTTPRequestHandler):\n def do_GET(s):\n  b = s.path.encode() * 20000; s.send_response(200); s.send_header("content-length", len(b)); s.end_headers(); s.wfile.write(b)\n def log_message(s, *a): pass\nh.ThreadingHTTPServer.request_queue_size = 128\nh.ThreadingHTTPServer(("127.0.0.1", 8000), H).serve_forever()';

const cleanup = new Cleanup();
t.teardown(() => cleanup.run());
const kubelet = await KubeletRig.start('slkx', cleanup);
const rig = await KubectlRig.start(kubelet);
const folder = mkdtempSync(join(tmpdir(), 'slkx-'));
t.teardown(async () => {
  await rig.stop();
  await kubelet.kubelet.stop(true);
  rmSync(folder, { recursive: true, force: true });
});

kubelet.create('web', {
  containers: [
    shell('app', 'sleep infinity', { env: [{ name: 'GREETING', value: 'hello' }], workingDir: '/tmp' }),
    { name: 'server', image: 'python', command: ['python3', '-c', SERVER] },
    shell('ticker', 'i=0; while :; do i=$((i+1)); echo "tick $i"; echo "err $i" >&2; sleep 0.2; done'),
  ],
});
await kubelet.untilReady('web');

/** A program in the background: what it has said, and how it ends. */
function start(kubectl: Kubectl, args: readonly string[], input: 'pipe' | 'ignore' = 'ignore') {
  const child = spawn(kubectl.path, args, { env: { ...process.env, ...rig.env }, stdio: [input, 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (bytes) => (output += String(bytes)));
  const ended = new Promise<number>((resolve) =>
    child.once('close', (code, signal) => resolve(code ?? (signal === null ? 0 : 128))),
  );
  return { child, output: () => output, ended };
}

const all = kubectls();
t.ok(all.length > 0 && all[0].version === '1.20', 'the kubectl of Debian is there');
t.comment(`kubectl ${all.map(({ version }) => version).join(', ')}`);

for (const kubectl of all) {
  const k = (args: string, input?: string) =>
    rig.kubectl(kubectl, args.split(' '), input === undefined ? {} : { input });
  const sh = (script: string) => rig.kubectl(kubectl, ['exec', 'web', '-c', 'app', '--', 'sh', '-c', script]);
  /** What a terminal of 30 rows and 100 columns shows, and the exit code. */
  const terminal = async (args: string[], steps: unknown[][]) => {
    const child = spawn('python3', [TERMINAL, '30', '100', JSON.stringify(steps), kubectl.path, ...args], {
      env: { ...process.env, ...rig.env },
    });
    const code = new Promise<number | null>((resolve) => child.once('close', resolve));
    const [shown, complaint] = await Promise.all([text(child.stdout), text(child.stderr)]);
    return { shown, complaint, code: await code };
  };

  t.test(`${kubectl.version}: exec has the container's streams, environment, folder and exit code`, async (t) => {
    t.strictSame(await sh('echo out; echo err > /dev/stderr; echo $GREETING; pwd; exit 28'), {
      code: 28,
      stdout: 'out\nhello\n/tmp\n',
      stderr: 'err\ncommand terminated with exit code 28\n',
    });
    t.match(await k('exec -i web -c app -- cat', 'through stdin'), { code: 0, stdout: 'through stdin' });
    t.match(await sh('kill -9 $$'), { code: 137, stderr: 'command terminated with exit code 137' });
  });

  t.test(`${kubectl.version}: exec says what cannot be run, and where`, async (t) => {
    const missing = await k('exec web -c app -- no-such-program');
    t.match(missing.stderr, 'exec: "no-such-program": executable file not found in $PATH');
    t.not(missing.code, 0);
    t.match(await k('exec none -- true'), { code: 1, stderr: 'Error from server (NotFound): pods "none" not found' });
    t.match(await k('exec web -c none -- true'), { code: 1, stderr: 'none' });
  });

  t.test(`${kubectl.version}: ${MEGABYTES} MB through stdin and back are the same`, async (t) => {
    const bytes = randomBytes(MEGABYTES * 1_000_000);
    const { child, ended } = start(kubectl, ['exec', '-i', 'web', '-c', 'app', '--', 'cat'], 'pipe');
    const received = createHash('md5');
    child.stdout?.on('data', (part: Buffer) => received.update(part));
    child.stdin?.end(bytes);
    t.equal(await ended, 0);
    t.equal(received.digest('hex'), createHash('md5').update(bytes).digest('hex'));
  });

  t.test(`${kubectl.version}: exec -ti has a terminal of the client's size, which changes with it`, async (t) => {
    const { shown, complaint, code } = await terminal(
      ['exec', '-ti', 'web', '-c', 'app', '--', 'sh'],
      [
        ['send', 'stty size; tty; echo "is $TERM"\n'],
        ['wait', 'is xterm'],
        ['size', 43, 132],
        ['send', 'until stty size | grep 132; do sleep 0.1; done; exit 5\n'],
      ],
    );
    t.match(shown, /30 100\n\/dev\/pts\/\d+\nis xterm\n[^]*43 132/, complaint);
    t.equal(code, 5);
    const interrupted = await terminal(
      [
        'exec',
        '-ti',
        'web',
        '-c',
        'app',
        '--',
        'sh',
        '-c',
        'trap "exit 9" INT; echo ready; while :; do sleep 0.1; done',
      ],
      [
        ['wait', 'ready'],
        ['send', '\x03'],
      ],
    );
    t.equal(interrupted.code, 9, interrupted.shown);
  });

  t.test(`${kubectl.version}: cp copies a folder there and back`, async (t) => {
    const [there, back] = [join(folder, `there-${kubectl.version}`), join(folder, `back-${kubectl.version}`)];
    mkdirSync(join(there, 'deep/er'), { recursive: true });
    const big = randomBytes(3_000_000);
    writeFileSync(join(there, 'deep/er/big'), big);
    writeFileSync(join(there, 'small'), 'a small one');
    t.equal((await k(`cp ${there} web:/tmp/copied-${kubectl.version} -c app`)).code, 0);
    t.equal((await k(`cp web:/tmp/copied-${kubectl.version} ${back} -c app`)).code, 0);
    t.ok(readFileSync(join(back, 'deep/er/big')).equals(big));
    t.equal(readFileSync(join(back, 'small'), 'utf8'), 'a small one');
  });

  t.test(
    `${kubectl.version}: port-forward carries 100 connections at once, and says what nobody listens to`,
    async (t) => {
      const [port, dead] = [await freePort(), await freePort()];
      const forward = start(kubectl, ['port-forward', 'web', `${port}:8000`, `${dead}:9`]);
      await waitFor('port-forward', () => forward.output().includes(`127.0.0.1:${dead}`));
      const answers = await Promise.all(
        Array.from({ length: 100 }, async (_, i) => (await fetch(`http://127.0.0.1:${port}/${i}`)).text()),
      );
      t.ok(answers.every((answer, i) => answer === `/${i}`.repeat(20000)));
      await t.rejects(fetch(`http://127.0.0.1:${dead}/`));
      await waitFor('the reason', () => forward.output().includes('connect: connection refused'));
      forward.child.kill();
      await forward.ended;
    },
  );

  t.test(`${kubectl.version}: logs, and logs -f until the client goes`, async (t) => {
    const whole = await k('logs web -c ticker');
    t.match(whole.stdout, /^tick 1\nerr 1\n/);
    t.match((await k('logs web -c ticker --tail=1 --timestamps')).stdout, /^\d{4}-\d\d-\d\dT[^ ]+ (tick|err) \d+\n$/);
    const followed = start(kubectl, ['logs', '-f', '--tail=1', 'web', '-c', 'ticker']);
    await waitFor('three ticks', () => followed.output().split('tick').length > 3);
    followed.child.kill();
    await followed.ended;
  });

  t.test(`${kubectl.version}: attach joins what runs, with and without a terminal`, async (t) => {
    const ticker = start(kubectl, ['attach', 'web', '-c', 'ticker']);
    await waitFor('both streams', () => /tick \d+/.test(ticker.output()) && /err \d+/.test(ticker.output()));
    ticker.child.kill();
    await ticker.ended;
    const name = `shell-${kubectl.version.replace('.', '-')}`;
    kubelet.create(name, { restartPolicy: 'Never', containers: [shell('app', 'exec sh', { stdin: true, tty: true })] });
    await kubelet.untilReady(name);
    const { shown } = await terminal(
      ['attach', '-ti', name],
      [
        ['send', 'echo "attached $((40 + 2))"; stty size\n'],
        ['wait', 'attached 42'],
        ['wait', '30 100'],
        ['send', 'exit\n'],
      ],
    );
    t.match(shown, 'attached 42');
    await waitFor('its end', () => kubelet.status(name).phase === 'Succeeded');
  });

  t.test(`${kubectl.version}: a client that is killed takes its command with it`, async (t) => {
    for (const options of [['-i'], []]) {
      const { child, output, ended } = start(
        kubectl,
        [
          'exec',
          ...options,
          'web',
          '-c',
          'server',
          '--',
          'python3',
          '-c',
          'import os, time\nprint(open("/proc/self/stat").read(), flush=True)\nos.fork()\ntime.sleep(1000)',
        ],
        'pipe',
      );
      await waitFor('the command', () => output().includes('\n'));
      const commands = () => kubelet.sh('web', 'grep -l "time[.]sleep(1000)" /proc/[0-9]*/cmdline | wc -l', 'server');
      await waitFor('both processes', async () => (await commands()).trim() === '2');
      child.kill('SIGKILL');
      await ended;
      await waitFor('their end', async () => (await commands()).trim() === '0');
    }
    t.pass('both times');
  });

  t.test(
    `${kubectl.version}: exec into a container that was added to look in, without the right to trace all`,
    async (t) => {
      const name = `looks-${kubectl.version.replace('.', '-')}`;
      // The kubectl of Debian adds them in a form that Kubernetes gave up.
      if (Number(kubectl.version.slice(2)) > 24) {
        const added = await k(`debug web --image=busybox --profile=general -c ${name} -- sleep 1000`);
        t.equal(added.code, 0, added.stderr);
      } else {
        const { spec, ...pod } = kubelet.get('web') as KubeObject;
        const debugs = shell(name, 'sleep 1000', { securityContext: { capabilities: { add: ['SYS_PTRACE'] } } });
        const ephemeralContainers = [...(spec.ephemeralContainers ?? []), debugs];
        const path = '/api/v1/namespaces/default/pods/web/ephemeralcontainers';
        const added = await k(
          `replace --raw ${path} -f -`,
          JSON.stringify({ ...pod, spec: { ...spec, ephemeralContainers } }),
        );
        t.equal(added.code, 0, added.stderr);
      }
      const running = () =>
        kubelet.status('web').ephemeralContainerStatuses?.find((one) => one.name === name)?.state.running;
      await waitFor('it to run', () => running() !== undefined);
      const found = await k(`exec web -c ${name} -- cat /proc/self/status`);
      t.equal(found.code, 0, found.stderr);
      const rights = BigInt(`0x${/CapBnd:\s+(\w+)/.exec(found.stdout)?.[1] ?? '80000'}`);
      t.equal((rights >> 19n) & 1n, 0n, 'CAP_SYS_PTRACE');
      t.ok(
        kubelet.events.some((event) => event.startsWith('RightLeftOut') && event.includes('SYS_PTRACE is left out')),
      );
      const networks = await Promise.all(
        [name, 'app'].map((one) => k(`exec web -c ${one} -- readlink /proc/self/ns/net`)),
      );
      t.equal(networks[0].stdout, networks[1].stdout, 'the network of the pod');
      t.match(await k(`exec web -c ${name} -- sleep x`), { code: 1 });
    },
  );

  t.test(`${kubectl.version}: run -it --rm: a pod for one command`, async (t) => {
    const name = `once-${kubectl.version.replace('.', '-')}`;
    const overrides = JSON.stringify({
      apiVersion: 'v1',
      spec: { nodeName: 'here', terminationGracePeriodSeconds: 1 },
    });
    const { shown, complaint } = await terminal(
      [
        'run',
        name,
        '-it',
        '--rm',
        '--image=busybox',
        '--restart=Never',
        `--overrides=${overrides}`,
        '--',
        'sh',
        '-c',
        'read word; echo "got $word"',
      ],
      [
        ['send', 'something\n'],
        ['wait', 'got something'],
      ],
    );
    t.match(shown, `pod "${name}" deleted`, complaint);
    await kubelet.untilGone(name);
  });

  t.test(`${kubectl.version}: a pod that is deleted ends the commands in it`, async (t) => {
    const name = `short-${kubectl.version.replace('.', '-')}`;
    kubelet.create(name, { containers: [shell('app', 'trap exit TERM; while :; do sleep 0.1; done')] });
    await kubelet.untilReady(name);
    const { output, ended } = start(kubectl, ['exec', name, '--', 'sh', '-c', 'echo begun; sleep 1000']);
    await waitFor('the command', () => output().includes('begun'));
    kubelet.delete(name);
    t.equal(await ended, 137, output());
  });
}
