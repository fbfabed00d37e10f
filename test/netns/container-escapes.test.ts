/** What root in a container, or the author of its manifest, tries: ways out that runtimes have had, and using up the machine. */
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

/** Makes files until it is told to stop, and says how many there were. */
const FILL = (folder: string) => `import sys
n = 0
try:
    while n < 100000:
        open("${folder}/%d" % n, "w").close()
        n += 1
except OSError as error:
    print(n, error.strerror)`;

/**
 * Names files of the kernel, but for those of processes, that root could write to by their mode and that open for it. Those that have no way to be written
 * open as well, and say so when they are.
 */
const OPEN = `import os
for top in ("/proc", "/sys"):
    for folder, folders, files in os.walk(top):
        folders[:] = [one for one in folders if not one.isdigit() and one not in ("self", "thread-self")]
        for path in [os.path.join(folder, one) for one in files]:
            try:
                if os.path.isfile(path) and not os.path.islink(path):
                    os.write(os.open(path, os.O_WRONLY | os.O_NONBLOCK), b"some 150000 1000000")
                    print(path)
            except OSError as error:
                if error.errno not in (1, 5, 13, 30):
                    print(path, error)`;

t.test('a container gets no descriptor but its own, and what it can use up of the machine has a bound', async (t) => {
  rig.create('greedy', {
    containers: [
      {
        name: 'c',
        image: 'busybox',
        command: ['sleep', 'infinity'],
        resources: { limits: { 'ephemeral-storage': '1Mi' } },
        volumeMounts: [{ name: 'd', mountPath: '/d' }],
      },
    ],
    volumes: [{ name: 'd', emptyDir: { sizeLimit: '1Mi' } }],
  });
  await rig.untilReady('greedy');
  t.equal(await rig.sh('greedy', 'ls /proc/1/fd | tr "\\n" " "; ls /proc/self/fd | tr "\\n" " "'), '0 1 2 0 1 2 3 ');
  for (const folder of ['/tmp', '/d']) {
    const { stdout, stderr } = await rig.exec('greedy', ['python3', '-c', FILL(folder)]);
    t.match(stdout, /^1[0-2]\d\d No space left on device\n$/, `files in ${folder}: ${stderr}`);
    await rig.sh('greedy', `find ${folder} -mindepth 1 -delete`);
  }
  t.match(
    await rig.sh('greedy', 'ipcmk -M 200M; ipcmk -M 200M'),
    /^Shared memory id: \d+\n.*No space left on device\n$/,
  );
  t.equal(await rig.sh('greedy', 'cat /proc/sys/kernel/msgmni; cut -f 2 /proc/sys/kernel/sem'), '256\n65536\n');
  t.equal(await rig.sh('greedy', 'cat /proc/1/oom_score_adj /proc/self/oom_score_adj'), '1000\n1000\n');
  t.equal(
    (await rig.exec('greedy', ['python3', '-c', OPEN])).stdout,
    '',
    'nothing of the kernel that takes what is written',
  );
  rig.delete('greedy', 0);
  await rig.untilGone('greedy');
});
