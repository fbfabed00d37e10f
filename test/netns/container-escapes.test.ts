/** Ways out of a container that runtimes have had: what root in one tries, and what its author writes into a manifest. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import t from 'tap';
import { Cleanup, waitFor } from '../command.ts';
import { KubeletRig } from './kubelet-rig.ts';

const name = `slce${process.pid.toString(36)}`;
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
t.jobs = 1;

/** Of the machine. */
const secret = mkdtempSync(join(tmpdir(), `${name}-secret-`));
cleanup.add(() => rmSync(secret, { recursive: true, force: true }));
/** Says `out` wherever the machine's root is above the work folder, and what can be seen of its descriptors. */
const LOOK = `ls -d ../../../../../../../../tmp/${basename(secret)} >/dev/null 2>&1 && echo out; pwd -P`;
const DESCRIPTORS = Array.from({ length: 24 }, (_, fd) => fd + 3);

let rig: KubeletRig;
t.before(async () => {
  rig = await KubeletRig.start(name, cleanup);
});

t.test('a work folder leads by no descriptor of the launcher to the machine', async (t) => {
  const containers = DESCRIPTORS.map((fd) => ({
    name: `c${fd}`,
    image: 'busybox',
    workingDir: `/proc/self/fd/${fd}`,
    command: ['sh', '-c', LOOK],
  }));
  rig.create('manifest', { restartPolicy: 'Never', containers });
  await waitFor('all to have ended', () => rig.status('manifest').phase === 'Failed');
  for (const { state, name } of rig.status('manifest').containerStatuses ?? [])
    t.match(state.terminated, { reason: 'StartError', message: /^enter \/proc\/self\/fd\/\d+: (No such|Not a)/ }, name);
  rig.delete('manifest', 0);
  await rig.untilGone('manifest');
});

t.test('a container that puts a link in the place of its work folder gets no exec out with it', async (t) => {
  const container = {
    image: 'busybox',
    volumeMounts: [{ name: 'd', mountPath: '/d' }],
    command: ['sleep', 'infinity'],
  };
  rig.create('linked', {
    shareProcessNamespace: true,
    containers: [
      { ...container, name: 'c', workingDir: '/d/work' },
      { ...container, name: 'other' },
    ],
    volumes: [{ name: 'd', emptyDir: {} }],
  });
  await rig.untilReady('linked');
  const link = (target: string) => rig.sh('linked', `rm -rf /d/work; ln -s ${target} /d/work`, 'other');
  t.equal(await link('/usr/share'), '');
  t.equal(await rig.sh('linked', LOOK), '/usr/share\n', 'a link within the container is followed');
  const pids = (await rig.sh('linked', 'cd /proc; ls -d [0-9]*')).trim().split('\n');
  const others = pids.flatMap((pid) => [`/proc/${pid}/root`, `/proc/${pid}/cwd`]);
  for (const target of [...DESCRIPTORS.map((fd) => `/proc/self/fd/${fd}`), ...others]) {
    await link(target);
    const { code, stdout, stderr } = await rig.exec('linked', ['sh', '-c', LOOK], 'c');
    if (code === 126) t.match(stderr, /^enter \/d\/work: (it is not in|No such|Not a)/, target);
    else t.match(stdout, /^(\/|\/d\/work)\n$/, target);
  }
  rig.delete('linked', 0);
  await rig.untilGone('linked');
});
