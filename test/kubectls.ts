/** The kubectls that the end-to-end tests run: Debian's (1.20, SPDY), which scripts/setup unpacks, and the machine's own where it has a newer one (WebSocket). */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../linux/package-root.ts';

export interface Kubectl {
  /** `1.20` */
  readonly version: string;
  readonly path: string;
}

const DEBIAN = join(PACKAGE_ROOT, 'node_modules/.cache/kubectl/usr/bin/kubectl');
const OWN = '/usr/bin/kubectl';

export function kubectls(): Kubectl[] {
  const found = [DEBIAN, OWN].filter((path) => existsSync(path)).map((path) => ({ path, version: versionOf(path) }));
  return found.filter(({ version }, i) => found.findIndex((other) => other.version === version) === i);
}

function versionOf(path: string): string {
  const text = execFileSync(path, ['version', '--client', '-o', 'json'], {
    encoding: 'utf8',
    env: { HOME: '/dev/null' },
  });
  const { clientVersion } = JSON.parse(text) as { clientVersion: { major: string; minor: string } };
  return `${clientVersion.major}.${clientVersion.minor.replace(/\D/g, '')}`;
}
