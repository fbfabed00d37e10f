import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { CNI_PLUGIN } from '../../linux/programs.ts';
import { testHost } from '../../test/cli-host.ts';
import { run } from '../program.ts';

type Tap = typeof t;

const BRIDGE = {
  cniVersion: '0.4.0',
  name: 'lan',
  disableCheck: true,
  plugins: [{ type: 'bridge', ipam: { type: 'host-local' } }, { type: 'portmap' }, { type: 'tuning' }],
};

function folders(t: Pick<Tap, 'teardown'>) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-cni-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const [conf, bin] = [join(folder, 'net.d'), join(folder, 'bin')];
  const cni = async (...args: string[]) => {
    const { host, stdout, stderr } = testHost();
    const code = await run(['cni', ...args, '--conf-dir', conf, '--bin-dir', bin], host);
    return { code, stdout: stdout(), stderr: stderr() };
  };
  const list = () => JSON.parse(readFileSync(join(conf, '05-sluice.conflist'), 'utf8'));
  return { conf, bin, cni, list };
}

t.test('install puts program and network in place, and again what is newer', async (t) => {
  const { conf, bin, cni, list } = folders(t);
  const done = await cni('install');
  t.match(done, { code: 0, stdout: /^installed .*\/bin\/sluice-cni\nwrote .*05-sluice.conflist: sluice-cni\n$/ });
  t.strictSame(readFileSync(join(bin, 'sluice-cni')), readFileSync(CNI_PLUGIN));
  t.equal(statSync(join(bin, 'sluice-cni')).mode & 0o777, 0o755);
  t.equal(statSync(join(conf, '05-sluice.conflist')).mode & 0o777, 0o600);
  t.strictSame(list(), { cniVersion: '1.0.0', name: 'sluice', plugins: [{ type: 'sluice-cni' }] });
  writeFileSync(join(bin, 'portmap'), '');
  const flags = ['--network', 'x', '--mtu', '1400', '--namespace', 'lab', '--podman', '--ipam', '10.5.0.0/24'];
  await cni('install', ...flags, '--run-dir', '/run/other', '--cni-version', '0.4.0');
  t.strictSame(list(), {
    cniVersion: '0.4.0',
    name: 'x',
    plugins: [
      {
        type: 'sluice-cni',
        runDir: '/run/other',
        mtu: 1400,
        namespace: 'lab',
        podman: true,
        ipam: { type: 'host-local', ranges: [[{ subnet: '10.5.0.0/24' }]] },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  });
  await cni('install', '--no-portmap');
  t.equal(list().plugins.length, 1);
  t.strictSame(readdirSync(conf), ['05-sluice.conflist'], 'nothing beside it');
});

t.test('uninstall gives back what was put aside', async (t) => {
  const { conf, bin, cni } = folders(t);
  await cni('install');
  writeFileSync(join(conf, '10-lan.conflist'), JSON.stringify(BRIDGE));
  writeFileSync(join(conf, 'README'), '');
  t.match(
    (await cni('install', '--exclusive')).stdout,
    /put .*10-lan.conflist aside as 10-lan.conflist.sluice-aside\n$/,
  );
  t.strictSame(readdirSync(conf).sort(), ['05-sluice.conflist', '10-lan.conflist.sluice-aside', 'README']);
  t.match((await cni('uninstall')).stdout, /removed .*conflist\nput .*10-lan.conflist back\nremoved .*sluice-cni\n$/);
  t.strictSame(readdirSync(conf).sort(), ['10-lan.conflist', 'README']);
  t.strictSame(readdirSync(bin), []);
  t.match(await cni('uninstall'), { code: 0, stdout: 'nothing to remove\n' });
  const netavark = ['--netavark-dir', join(bin, 'netavark')];
  t.match((await cni('install', ...netavark)).stdout, /^installed .*\ninstalled .*\/netavark\/sluice\n/);
  t.match((await cni('uninstall', ...netavark)).stdout, /removed .*\/netavark\/sluice\n$/);
  writeFileSync(join(bin, 'netavark/sluice'), '#!/usr/bin/env node');
  t.match(await cni('install', ...netavark), { code: 1, stderr: /found another program there/ });
  await cni('uninstall', ...netavark);
  t.equal(readFileSync(join(bin, 'netavark/sluice'), 'utf8'), '#!/usr/bin/env node', 'what is not ours stays');
  rmSync(join(bin, 'netavark'), { recursive: true });

  await cni('install', '--exclusive');
  writeFileSync(join(conf, '10-lan.conflist'), 'newer');
  writeFileSync(join(conf, '05-sluice.conflist'), '{"name":"of others"}');
  t.match((await cni('uninstall')).stdout, /^left .*: there is another 10-lan.conflist\nremoved .*sluice-cni\n$/);
  t.equal(readFileSync(join(conf, '10-lan.conflist'), 'utf8'), 'newer');
  t.ok(existsSync(join(conf, '05-sluice.conflist')), 'a list that is not ours stays');
});

t.test('in a chain we are behind what makes interfaces and before the rest', async (t) => {
  const { conf, cni, list } = folders(t);
  await cni('install');
  const path = join(conf, '10-lan.conflist');
  writeFileSync(path, JSON.stringify(BRIDGE));
  for (const round of ['first', 'again']) {
    await cni('install', '--chain', path);
    t.strictSame(
      list(),
      { ...BRIDGE, plugins: [BRIDGE.plugins[0], { type: 'sluice-cni' }, ...BRIDGE.plugins.slice(1)] },
      round,
    );
  }
  const itself = join(conf, '05-sluice.conflist');
  await cni('install', '--chain', itself);
  t.equal(list().plugins.length, 4, 'never twice in one');
  for (const [text, flags, message] of [
    ['{"plugins":[]}', [], /found no list of a network/],
    ['[', [], /JSON/],
    [JSON.stringify(BRIDGE), ['--ipam', '10.5.0.0/24'], /--ipam and --chain/],
  ] as const) {
    writeFileSync(path, text);
    t.match(await cni('install', '--chain', path, ...flags), { code: 1, stderr: message });
  }
  t.match(await cni('install', '--chain', '/nowhere'), { code: 1, stderr: /read \/nowhere/ });
  t.match(await cni('install', '--ipam', '10.5.0.0'), { code: 1, stderr: /found 10.5.0.0, wanted a subnet/ });
  t.match(await cni('install', '--mtu', '10'), { code: 2 });
});

t.test('status tells what a runtime would take', async (t) => {
  const { conf, cni } = folders(t);
  const status = async () => {
    const { code, stdout } = await cni('status', '-o', 'json', '--run-dir', '/nonexistent');
    return { code, ...(JSON.parse(stdout) as object) };
  };
  const agent = { code: 50, state: /is sluiced running/ };
  t.match(await status(), { code: 1, ok: false, program: { state: 'missing' }, network: { path: '' }, agent });
  await cni('install');
  t.match(await status(), {
    code: 1,
    program: { state: 'installed' },
    network: { state: 'installed' },
    attachments: [],
  });
  writeFileSync(join(conf, '01-first.conflist'), JSON.stringify(BRIDGE));
  t.match(await status(), { network: { path: /01-first/, state: /^of others/ } });
  t.match(
    (await cni('status', '--run-dir', '/nonexistent')).stdout,
    /^ok +program: .*\n!! +network: .*\n!! +agent: connect/,
  );
});
