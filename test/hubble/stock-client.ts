/**
 * Hubble's own command line: the client that people have. It is built from its Go module, which takes minutes the first time, and
 * is kept below node_modules/.cache.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../command.ts';

const VERSION = '1.20.2';
const CACHE = join(import.meta.dirname, `../../../node_modules/.cache/hubble-${VERSION}`);
export const BUILD_MS = 1_800_000;
const GO_MOD = `module client
go 1.25
require github.com/cilium/cilium v${VERSION}
replace sigs.k8s.io/controller-tools => github.com/cilium/controller-tools v0.21.0-1
`;
const TOOLS = '//go:build tools\npackage tools\nimport _ "github.com/cilium/cilium/hubble"\n';

/** @returns the client's path, or why there is none */
export async function stockClient(): Promise<{ client?: string; reason?: string }> {
  const client = join(CACHE, 'hubble');
  if (existsSync(client)) return { client };
  if ((await run(['go', 'version'])).code !== 0) return { reason: 'found no go, wanted one to build hubble with' };
  mkdirSync(CACHE, { recursive: true });
  writeFileSync(join(CACHE, 'go.mod'), GO_MOD);
  writeFileSync(join(CACHE, 'tools.go'), TOOLS);
  const options = { cwd: CACHE, timeoutMs: BUILD_MS, env: { CGO_ENABLED: '0' } };
  const tidy = await run(['go', 'mod', 'tidy'], options);
  if (tidy.code !== 0) return { reason: `cannot get hubble ${VERSION}: ${tidy.stderr.trim().split('\n').at(-1)}` };
  const made = await run(['go', 'build', '-trimpath', '-o', client, 'github.com/cilium/cilium/hubble'], options);
  if (made.code !== 0) throw new Error(`build hubble: ${made.stderr}`);
  return { client };
}

/** The folder with the protos that the client was built from. */
export async function stockProtos(): Promise<string> {
  const { stdout } = await run(['go', 'list', '-m', '-f', '{{.Dir}}', 'github.com/cilium/cilium'], { cwd: CACHE });
  return join(stdout.trim(), 'api/v1');
}
