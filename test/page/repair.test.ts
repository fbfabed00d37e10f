/**
 * The policy editor against a real agent: a denied flow is explained, repaired by clicks, and the repair applied; a change is tried before it is
 * enforced; policies come of the traffic that was seen.
 *
 *   <name>-shop-web ───┐
 *   <name>-shop-idle ──┤ Sluice ── the page on 127.0.0.1 ── chromium
 *   <name>-shop-api ───┘ node examples/server.mjs on 8080
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import t from 'tap';
import { Cleanup, inNetns, PATIENCE_MS, run, waitFor } from '../command.ts';
import { OWN_RANGE, SluiceInstance } from '../rig.ts';
import { launchBrowser, openPage, screenshots, seriousFaults } from './browser.ts';

const TOKEN = 'the token of the repair test';
const PORT = 20_000 + (process.pid % 20_000);
const address = (number: number): string => `${OWN_RANGE.ipv4}.${number}`;

const pod = (name: string, number: number, command = '') => `apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: shop, labels: { app: ${name} } }
spec: { containers: [${command}] }
status: { podIPs: [{ ip: ${address(number)} }] }
---
`;
const SERVER =
  '{ name: api, image: example/server, command: [node, examples/server.mjs, "8080"], ports: [{ containerPort: 8080 }] }';
const RIG = `apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
${pod('web', 10)}${pod('idle', 11)}${pod('api', 12, SERVER)}`;
const POLICY = `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: api, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: api } }
  ingress:
    - fromEndpoints: [{ matchLabels: { app: web } }]
`;

t.setTimeout(PATIENCE_MS * 4);
const cleanup = new Cleanup();
const name = `sled${process.pid.toString(36)}`;
const dir = mkdtempSync(`/tmp/${name}-`);
cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
writeFileSync(join(dir, 'token'), `${TOKEN}\n`, { mode: 0o600 });
writeFileSync(join(dir, 'rig.yaml'), RIG);
const config = `ui: true
ui-address: 127.0.0.1:${PORT}
ui-token-file: ${join(dir, 'token')}
ui-write: true
`;
const instance = await SluiceInstance.start({ name, cleanup, netnsPrefix: `${name}-`, config });
t.teardown(() => cleanup.finish());
t.teardown(() => instance.stop());
await instance.rigUp(join(dir, 'rig.yaml'));
const browser = await launchBrowser(t);

/** Whether an answer came; one that is dropped takes its two seconds. */
async function gets(from: string): Promise<boolean> {
  const argv = ['curl', '-sS', '-m', '2', '-o', '/dev/null', `http://${address(12)}:8080/headers`];
  return (await run(inNetns(instance.netnsOf(`shop/${from}`), argv))).code === 0;
}

async function login(page: Page): Promise<void> {
  await page.getByLabel('Token').fill(TOKEN);
  await page.getByRole('button', { name: 'Open the page' }).click();
}

t.test('a denied flow is explained, repaired by clicks, and the repair applied', async (t) => {
  t.ok(await gets('idle'), 'nothing is enforced yet');
  await instance.send(POLICY);
  await waitFor('the policy to be in force', async () => !(await gets('idle')));
  t.ok(await gets('web'));

  const page = await openPage(t, browser, `http://127.0.0.1:${PORT}/#/editor`, { forgives: /401/ });
  page.setDefaultTimeout(PATIENCE_MS);
  await login(page);
  await page.getByRole('button', { name: /shop\/app=idle → shop\/app=api 8080\/TCP/ }).click();
  const why = page.getByRole('dialog', { name: /app=idle → shop\/app=api 8080\/TCP/ });
  await why.getByText('it is denied').waitFor();
  await why.getByText(/ingress of .*: CiliumNetworkPolicy\/shop\/api, spec/).waitFor();
  await why.getByText(/^\+.*app: idle/).waitFor();
  await screenshots(page, 'editor-why');
  t.same(await seriousFaults(page), []);
  await why.getByRole('button', { name: 'Put this change into the editor' }).click();

  await page.getByText('✓ No problems').waitFor();
  await page
    .getByText(/Of \d+ flows 0 would be denied that are allowed, and [1-9]\d* allowed that are denied/)
    .waitFor();
  await page.getByText('newly allowed').first().waitFor();
  await screenshots(page, 'editor-repair');
  await page.getByRole('button', { name: 'Apply…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Apply to the cluster' });
  await dialog.getByText('CiliumNetworkPolicy/shop/api: configured').waitFor();
  t.notOk(await gets('idle'), 'nothing has been applied yet');
  await dialog.getByRole('button', { name: 'Apply' }).click();
  await page.getByText('Applied: CiliumNetworkPolicy/shop/api configured').waitFor();
  await waitFor('the repair to be in force', () => gets('idle'));
  t.ok(await gets('web'));
});

t.test(
  'a change that would deny is explained, tried on trial, where it drops nothing, and then enforced',
  async (t) => {
    const page = await openPage(
      t,
      browser,
      `http://127.0.0.1:${PORT}/#/editor?policy=CiliumNetworkPolicy%2Fshop%2Fapi`,
      {
        forgives: /401/,
      },
    );
    page.setDefaultTimeout(PATIENCE_MS);
    await login(page);
    await page.getByRole('button', { name: 'Take away app=idle' }).click();
    await page.getByText('newly denied').first().waitFor();
    await page.getByRole('button', { name: 'Why' }).first().click();
    await page.getByRole('dialog').getByText('By the policies that are open it is denied').waitFor();
    await page.getByRole('button', { name: 'Put this change into the editor' }).click();
    await page.getByRole('button', { name: 'Take away app=idle' }).waitFor();
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByRole('button', { name: 'Apply…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Apply to the cluster' });
    await dialog.getByLabel(/On trial first/).check();
    await dialog.getByRole('button', { name: 'Apply' }).click();
    await page.getByText('Applied on trial').waitFor();
    t.ok(await gets('idle'), 'it passes');
    await waitFor('a connection to be told as audited', async () => {
      await gets('idle');
      return (await instance.flows()).some((flow) => flow.verdict === 'AUDIT');
    });
    await page.getByRole('button', { name: 'On trial', pressed: true }).click();
    await page.getByRole('button', { name: 'Apply…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Apply' }).click();
    await page.getByText('Applied: CiliumNetworkPolicy').waitFor();
    await waitFor('the policy to be in force', async () => !(await gets('idle')));
  },
);

t.test('policies are generated from the traffic that was seen', async (t) => {
  const page = await openPage(t, browser, `http://127.0.0.1:${PORT}/#/editor`, { forgives: /401/ });
  page.setDefaultTimeout(PATIENCE_MS);
  await login(page);
  await page.getByRole('button', { name: 'Generate from traffic…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Generate' }).click();
  await page.getByRole('button', { name: /Change the pods: app=api/ }).waitFor();
  t.match(await page.getByLabel('Policy as YAML').inputValue(), /name: recorded-/);
});
