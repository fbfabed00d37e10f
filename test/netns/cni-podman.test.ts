/**
 * podman with CNI: its containers are endpoints, its labels choose policies, and nothing is left when they are gone.
 *
 *   <name>-host: sluiced, podman ── srv, cli, other: containers of busybox; pair: a pod of two
 *
 * A machine that tests run on may let nobody raise limits or make cgroups: podman is told to do neither. Its state lies in a folder of
 * the test's own.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import { PLUGIN_FOLDER } from '../cni-plugin.ts';
import { Cleanup, must, type Outcome, run, waitFor } from '../command.ts';
import { SluiceInstance } from '../rig.ts';

t.jobs = 1;
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
const name = `slp${process.pid.toString(36)}`;
const instance = await SluiceInstance.onHost(name, cleanup);
t.teardown(() => instance.stop());
const folder = mkdtempSync(join(tmpdir(), `${name}-`));
cleanup.add(() => rmSync(folder, { recursive: true, force: true }));

/** busybox with the libraries that it needs. */
async function makeRoot(): Promise<string> {
  const root = join(folder, 'rootfs');
  for (const one of ['bin', 'etc', 'proc', 'sys', 'dev', 'tmp']) mkdirSync(join(root, one), { recursive: true });
  const libraries = (await must(['ldd', '/bin/busybox'])).match(/\/\S+/g) ?? [];
  for (const file of ['/bin/busybox', ...libraries]) {
    mkdirSync(join(root, dirname(file)), { recursive: true });
    cpSync(file, join(root, file), { dereference: true });
  }
  for (const one of ['sh', 'sleep', 'ping', 'wget']) symlinkSync('busybox', join(root, 'bin', one));
  return root;
}

const state = ['--root', join(folder, 'root'), '--runroot', join(folder, 'run'), '--storage-driver', 'vfs'];
const settings = join(folder, 'containers.conf');
writeFileSync(
  settings,
  `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
tmp_dir = "${join(folder, 'tmp')}"
[network]
network_backend = "cni"
network_config_dir = "${join(folder, 'net.d')}"
cni_plugin_dirs = ["${PLUGIN_FOLDER}", "/usr/lib/cni"]
default_network = "sluice"
`,
);
mkdirSync(join(folder, 'net.d'));
const plugins = [
  { type: 'sluice-cni', runDir: instance.runDir, namespace: 'lab', podman: ['podman', ...state] },
  { type: 'portmap', capabilities: { portMappings: true } },
];
writeFileSync(
  join(folder, 'net.d/05-sluice.conflist'),
  JSON.stringify({ cniVersion: '0.4.0', name: 'sluice', plugins }),
);

/** In the namespace that is the host, where podman's containers begin. */
const podman = (...args: string[]): Promise<Outcome> =>
  run(['nsenter', `--net=/run/netns/${name}-host`, 'podman', ...state, ...args], {
    env: { CONTAINERS_CONF: settings },
  });
cleanup.add(() => {
  const env = { ...process.env, CONTAINERS_CONF: settings };
  execFileSync('podman', [...state, 'rm', '-fa', '-t', '0'], { stdio: 'ignore', env });
});
const root = await makeRoot();
const sleeping = async (container: string, ...args: string[]): Promise<void> => {
  const { code, stderr } = await podman(
    'run',
    '-d',
    '--name',
    container,
    ...args,
    '--rootfs',
    root,
    '/bin/sleep',
    '600',
  );
  if (code !== 0) throw new Error(`podman run ${container}: ${stderr}`);
};
const endpointOf = async (pod: string): Promise<any> =>
  (await instance.read('/v1/endpoints')).find((one: any) => one.pod === pod);
const pings = async (container: string, address: string, seconds: number): Promise<boolean> =>
  (await podman('exec', container, 'ping', '-c', '1', '-W', String(seconds), address)).code === 0;

t.test('containers talk as a policy about their labels says', async (t) => {
  await instance.send(`
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: to-srv, namespace: lab }
spec: { endpointSelector: { matchLabels: { app: srv } }, ingress: [{ fromEndpoints: [{ matchLabels: { app: cli } }] }] }`);
  await sleeping('srv', '--label', 'app=srv', '--label', 'org.example.title=two words');
  await sleeping('cli', '--label', 'app=cli');
  await sleeping('Other_One', '--label', 'app=other', '-p', '8080:80');
  const server = await endpointOf('srv');
  t.match(server, { namespace: 'lab', state: 'ready' });
  t.ok(server.labels.includes('k8s:app=srv'), server.labels.join());
  const told = JSON.parse((await podman('inspect', 'srv')).stdout)[0].NetworkSettings.Networks.sluice;
  t.match(told, { IPAddress: server.ipv4, MacAddress: server.mac, GlobalIPv6Address: server.ipv6 });
  t.ok(await pings('cli', server.ipv4, 10));
  t.ok(await pings('cli', server.ipv6, 10));
  t.notOk(await pings('Other_One', server.ipv4, 1));
  const dropped = (await instance.flows()).filter(
    (flow) => flow.verdict === 'DROPPED' && flow.IP?.destination === server.ipv4,
  );
  t.match(dropped.at(-1), { source: { namespace: 'lab', pod_name: /^other-one-/ }, drop_reason_desc: 'POLICY_DENIED' });
});

t.test('a container that is started again is the same endpoint', async (t) => {
  t.equal((await podman('restart', '-t', '0', 'cli')).code, 0);
  const again = await endpointOf('cli');
  t.match(again, { state: 'ready', namespace: 'lab' });
  t.ok(await pings('cli', (await endpointOf('srv')).ipv4, 10));
});

t.test('what podman removes is gone', async (t) => {
  t.equal((await podman('rm', '-fa', '-t', '0')).code, 0);
  await waitFor('no endpoint', async () => (await instance.read('/v1/endpoints')).length === 0);
  t.notOk(existsSync(join(instance.runDir, 'cni/deleted')));
  t.strictSame(JSON.parse(readFileSync(join(instance.runDir, 'cni/attachments.json'), 'utf8')).value, []);
});
