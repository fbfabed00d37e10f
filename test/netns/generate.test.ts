/**
 * Policies out of real traffic: it is recorded while nothing is enforced, policies are made of it and applied, and then the same traffic
 * passes and all other is dropped.
 *
 *   <name>-shop-web ───┐
 *                      Sluice ── <name>-shop-api   node examples/server.mjs on 8080 and 9090
 *   <name>-shop-idle ──┘
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Cleanup, inNetns, PATIENCE_MS, run, waitFor } from '../command.ts';
import { SluiceInstance } from '../rig.ts';

const API = ['10.244.0.11', 'fd00:10:244::11'];

const pod = (name: string, number: number, command = '') => `apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: shop, labels: { app: ${name}, pod-template-hash: h${number} } }
spec: { containers: [${command}] }
status: { podIPs: [{ ip: 10.244.0.${number} }, { ip: "fd00:10:244::${number}" }] }
---
`;
const server = (port: number) =>
  `{ name: s${port}, image: example/server, command: [node, examples/server.mjs, "${port}"], ports: [{ containerPort: ${port} }] }`;
const MANIFESTS = `apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
${pod('web', 10)}${pod('api', 11, `${server(8080)}, ${server(9090)}`)}${pod('idle', 12)}`;

t.setTimeout(PATIENCE_MS * 4);
const cleanup = new Cleanup();
const name = `slgp${process.pid.toString(36)}`;
const dir = mkdtempSync(`/tmp/${name}-`);
cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
writeFileSync(join(dir, 'rig.yaml'), MANIFESTS);
const instance = await SluiceInstance.withRig(name, cleanup, join(dir, 'rig.yaml'));
t.teardown(() => cleanup.finish());
t.teardown(() => instance.stop());

/** Whether an answer came; one that is dropped takes its two seconds. */
async function gets(from: string, address: string, port: number, path = '/headers'): Promise<boolean> {
  const host = address.includes(':') ? `[${address}]` : address;
  const argv = ['curl', '-sS', '-m', '2', '-o', '/dev/null', `http://${host}:${port}${path}`];
  return (await run(inNetns(instance.netnsOf(`shop/${from}`), argv))).code === 0;
}

async function pings(from: string, address: string): Promise<boolean> {
  const argv = ['ping', '-c', '1', '-W', '1', address];
  return (await run(inNetns(instance.netnsOf(`shop/${from}`), argv))).code === 0;
}

/** What is done while it is recorded. */
async function usual(): Promise<readonly boolean[]> {
  return [await gets('web', API[0], 8080), await gets('web', API[1], 8080), await pings('web', API[0])];
}

async function unusual(): Promise<readonly boolean[]> {
  return [
    await gets('web', API[0], 9090),
    await gets('idle', API[0], 8080),
    await gets('idle', API[1], 9090),
    await pings('web', API[1]),
    await pings('idle', API[0]),
    await pings('api', '10.244.0.10'),
  ];
}

t.test('policies out of recorded traffic let the same traffic pass and drop all other', async (t) => {
  t.same(await usual(), [true, true, true]);
  const file = join(dir, 'recorded.yaml');
  await waitFor('the flows to be there', async () => {
    const made = await instance.cli('policy', 'generate');
    writeFileSync(file, made.stdout);
    return made.code === 0 && made.stdout.includes('8080') && made.stdout.includes('icmps');
  });
  const recorded = await instance.cli('observe', '--all', '-o', 'json');
  const flows = join(dir, 'flows.json');
  writeFileSync(flows, recorded.stdout);
  t.equal(
    (await instance.cli('policy', 'generate', '--from-flows', flows)).stdout,
    readFileSync(file, 'utf8'),
    'from a file as live',
  );

  t.same(await unusual(), [true, true, true, true, true, true], 'nothing is enforced yet');
  const tried = await instance.cli('policy', 'replay', '--policies', file, '--against', 'live');
  t.equal(tried.code, 1, 'the unusual traffic would be denied');
  t.match(tried.stdout, /allowed -> denied .*shop\/web +shop\/api +9090\/TCP +CiliumNetworkPolicy\/shop\/recorded-/);
  const known = await instance.cli('policy', 'replay', '--flows', flows, '--policies', file, '--against', 'live');
  t.match(known, { code: 0, stdout: /^\d+ flows.*\n0 would be denied that were allowed/ });

  t.equal((await instance.cli('apply', '-f', file)).code, 0);
  await waitFor('the policies to be in force', async () => !(await gets('idle', API[0], 8080)));
  t.same(await usual(), [true, true, true]);
  t.same(await unusual(), [false, false, false, false, false, false]);
});

t.test('a drop is explained by its UUID, and the patch that comes of it lets the flow pass', async (t) => {
  t.notOk(await gets('idle', API[0], 8080));
  const uuidOf = async (): Promise<string> => {
    const filters = ['--verdict', 'DROPPED', '--type', 'policy-verdict', '--pod', 'shop/idle', '--to-port', '8080'];
    const { stdout } = await instance.cli('observe', '--last', '1', ...filters, '-o', 'json');
    return stdout === '' ? '' : JSON.parse(stdout).flow.uuid;
  };
  await waitFor('the drop to be told', async () => (await uuidOf()) !== '');
  const uuid = await uuidOf();
  const { stdout, code } = await instance.cli('flows', 'explain', uuid);
  t.equal(code, 0);
  t.match(stdout, 'verdict: denied');
  t.match(stdout, /\n--- CiliumNetworkPolicy\/shop\/recorded-/);
  const patch = await instance.cli('flows', 'explain', uuid, '--patch');
  const file = join(dir, 'patch.yaml');
  writeFileSync(file, patch.stdout);
  t.equal((await instance.cli('apply', '-f', file)).code, 0);
  await waitFor('the patch to be in force', () => gets('idle', API[0], 8080));
  t.notOk(await gets('idle', API[0], 9090), 'and nothing else');
  const after = await instance.cli('flows', 'explain', uuid);
  t.match(after.stdout, 'it was denied when it was recorded, and would be allowed now\n');
});
