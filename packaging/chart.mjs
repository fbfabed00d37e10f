// charts/sluice as an archive for Helm: sluice-VERSION.tgz, with that version in Chart.yaml.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { packageOptions, ROOT } from './tree.mjs';

const { version, epochSec, output } = packageOptions();
const folder = mkdtempSync(join(tmpdir(), 'sluice-chart-'));
try {
  cpSync(join(ROOT, 'charts/sluice'), join(folder, 'sluice'), { recursive: true });
  const path = join(folder, 'sluice/Chart.yaml');
  const text = readFileSync(path, 'utf8').replace(/^(version|appVersion): .*$/gm, `$1: ${version}`);
  writeFileSync(path, text);
  const order = [
    '--sort=name',
    `--mtime=@${epochSec}`,
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '--mode=u=rwX,go=rX',
  ];
  const tar = execFileSync('tar', ['-C', folder, ...order, '-cf', '-', 'sluice'], { maxBuffer: 1 << 26 });
  const name = join(output, `sluice-${version}.tgz`);
  writeFileSync(name, gzipSync(tar, { level: 9 }));
  console.log(`package: ${name}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
