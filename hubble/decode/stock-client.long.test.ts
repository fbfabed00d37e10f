/**
 * Hubble's own command line over what we write: the client that people have. It is built from its Go module, which takes
 * minutes the first time, and is kept below node_modules/.cache. Where there is no Go, or its module proxy does not answer, the
 * test is skipped and says so; the suite has a strict reader of its own (stock-client.test.ts).
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { run } from '../../test/command.ts';
import { dropsOfAllReasons, flowsOfAllKinds } from '../../test/hubble/flows-of-all-kinds.ts';

const VERSION = '1.20.2';
const CACHE = join(import.meta.dirname, `../../../node_modules/.cache/hubble-${VERSION}`);
const BUILD_MS = 1_800_000;
t.setTimeout(2 * BUILD_MS);

const GO_MOD = `module client
go 1.25
require github.com/cilium/cilium v${VERSION}
replace sigs.k8s.io/controller-tools => github.com/cilium/controller-tools v0.21.0-1
`;
const TOOLS = '//go:build tools\npackage tools\nimport _ "github.com/cilium/cilium/hubble"\n';

/** @returns the client, or why there is none */
async function build(): Promise<{ client?: string; reason?: string }> {
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

const { client = '', reason } = await build();

t.test('hubble observe reads all that we write, without a warning', { skip: reason ?? false }, async (t) => {
  const flows = [...flowsOfAllKinds(), ...dropsOfAllReasons()];
  const input = flows.map((flow) => JSON.stringify({ flow, node_name: flow.node_name, time: flow.time })).join('\n');
  const observe = (...args: string[]) =>
    run([client, 'observe', '--input-file', '-', ...args], { input: `${input}\n` });
  for (const output of ['compact', 'dict', 'jsonpb']) {
    const { code, stdout, stderr } = await observe('-o', output);
    t.equal(code, 0);
    t.equal(stderr, '', `${output}: no warning`);
    const count = output === 'dict' ? stdout.split('TIMESTAMP:').length - 1 : stdout.trimEnd().split('\n').length;
    t.equal(count, flows.length, `${output}: every flow`);
    if (output === 'jsonpb') t.equal(stdout, `${input}\n`, 'it writes what we write');
  }
  const ours = await observe('--verdict', 'DROPPED', '--drop-reason-desc', 'POLICY_DENIED', '--type', 'drop');
  t.match(ours.stdout, 'Policy denied DROPPED (Denied by L7 policy; TCP Flags: SYN)', 'our own text is shown');
});
