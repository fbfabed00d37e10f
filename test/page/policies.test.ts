/**
 * The views of policies and the charts in a browser, of a real agent with real traffic.
 *
 *   chromium ── http://127.0.0.1:PORT ── agent ── shop/client ── Sluice ── shop/web (examples/server.mjs)
 *                                                 shop/stranger ──┘
 */
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { PACKAGE_ROOT } from '../../linux/package-root.ts';
import { Cleanup, inNetns, isListening, start, waitFor } from '../command.ts';
import { freePort } from '../free-port.ts';
import { OWN_RANGE, SluiceInstance } from '../rig.ts';
import { launchBrowser, openPage, screenshots, seriousFaults } from './browser.ts';

const WEB = `${OWN_RANGE.ipv4}.11`;
const WEB_PORT = 8080;
const pod = (name: string, last: number, port = '') => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: shop, labels: { app: ${name} } }
spec: { containers: [{ name: main, image: x${port} }] }
status: { podIPs: [{ ip: ${OWN_RANGE.ipv4}.${last} }] }
---`;
const MANIFESTS = `
apiVersion: v1
kind: Namespace
metadata: { name: shop }
---${pod('client', 10)}${pod('web', 11, `, ports: [{ containerPort: ${WEB_PORT} }]`)}${pod('stranger', 12)}
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: web, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: web } }
  ingress:
    - fromEndpoints: [{ matchLabels: { app: nobody } }]
    - fromEndpoints: [{ matchLabels: { app: client } }]
      toPorts:
        - ports: [{ port: "${WEB_PORT}", protocol: TCP }]
          rules: { http: [{ method: GET, path: / }] }
  ingressDeny:
    - fromEndpoints: [{ matchLabels: { app: stranger } }]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: idle, namespace: shop, annotations: { note: "<img src=x onerror=alert(1)>\\u202e" } }
spec:
  podSelector: { matchLabels: { app: missing } }
  policyTypes: [Ingress]
`;

const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
const name = `slch${process.pid.toString(36)}`;
const port = await freePort();
const config = `ui: true
ui-address: 127.0.0.1:${port}
hubble: { metrics: [httpV2, flow, drop] }
`;
const instance = await SluiceInstance.start({ name, cleanup, netnsPrefix: `${name}-`, createNamespaces: true, config });
t.teardown(() => instance.stop());
await instance.send(MANIFESTS, 'apply', 'shop.yaml');
await instance.untilReady(['shop/client', 'shop/web', 'shop/stranger']);
const server = start(
  inNetns(instance.netnsOf('shop/web'), ['node', join(PACKAGE_ROOT, 'examples/server.mjs'), String(WEB_PORT)]),
);
cleanup.add(() => server.child.kill('SIGKILL'));
await waitFor('the server', () => isListening(instance.netnsOf('shop/web'), WEB_PORT));
const browser = await launchBrowser(t);

const request = (from: string) =>
  instance.inPod(from, ['curl', '-s', '-m', from === 'shop/client' ? '10' : '1', `http://${WEB}:${WEB_PORT}/`]);

async function open(t: Test, address: string, width = 1280, forgives = /^$/): Promise<Page> {
  const page = await openPage(t, browser, `http://127.0.0.1:${port}/${address}`, {
    viewport: { width, height: 800 },
    forgives,
  });
  page.setDefaultTimeout(30_000);
  return page;
}

t.test('what policies decide is counted, and one that nothing matched says so', async (t) => {
  const page = await open(t, '#/policies');
  await page.getByText('2 policies').waitFor();
  const row = (name: string) => page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) });
  await row('shop/idle').getByText('never matched').waitFor();
  await row('shop/idle').getByText('no pods').waitFor();
  await row('shop/web').getByText('1 pod', { exact: true }).waitFor();
  t.equal((await request('shop/client')).code, 0);
  t.not((await request('shop/stranger')).code, 0);
  const figures = async () => (await row('shop/web').getByRole('cell').allInnerTexts()).slice(1, 3).map(Number);
  await waitFor('counts', async () => (await figures()).every((figure) => figure > 0));
  t.notMatch(await row('shop/web').innerText(), /never/);

  await page.getByRole('button', { name: 'Denied' }).click();
  await page.getByRole('columnheader', { name: 'Denied' }).and(page.locator('[aria-sort=descending]')).waitFor();
  await page.getByLabel('Find policies').fill('idle');
  await page.getByText('1 of 2 policies').waitFor();
  await page.getByLabel('Find policies').fill('');
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    t.same(await seriousFaults(page), []);
  }
  await screenshots(page, 'policies');
});

t.test('the text of a policy has the rules that flows hit, and links open a line', async (t) => {
  const page = await open(t, '#/policies?policy=CiliumNetworkPolicy%2Fshop%2Fweb');
  const text = page.getByRole('region', { name: 'Text of the policy' });
  const hit = (line: RegExp) => text.getByRole('listitem').filter({ hasText: line });
  await hit(/fromEndpoints:.*allowed/).waitFor();
  await hit(/fromEndpoints:.*denied/).waitFor();
  t.equal(await hit(/allowed|denied/).count(), 2, 'and not the rule that nobody met');
  await page.getByRole('region', { name: 'What it decided' }).getByText('shop/stranger').waitFor();
  await screenshots(page, 'policy');
  t.same(await seriousFaults(page), []);

  const rule = page.getByRole('region', { name: 'What it decided' }).getByRole('link', { name: /line/ }).first();
  const number = (await rule.innerText()).replace(/\D/g, '');
  await rule.click();
  await text.locator(`li[value="${number}"][aria-current=location]`).waitFor();

  const origins = (await instance.read('/v1/cookies')).flatMap((cookie: any) => cookie.origins);
  const deny = origins.find(({ path }: { path: string }) => path === 'spec.ingressDeny[0]');
  await page.goto(`http://127.0.0.1:${port}/#/policies?policy=CiliumNetworkPolicy/shop/web&line=${deny.line}`);
  t.match(await text.locator('li[aria-current=location]').innerText(), /fromEndpoints/);
  t.ok(
    await text.locator('li[aria-current=location]').evaluate((line: any) => line.ownerDocument.activeElement === line),
  );
  await page.keyboard.press('k');
  await page.getByRole('heading', { name: 'NetworkPolicy/shop/idle' }).waitFor();
  await page.getByText('Never matched: no flow').waitFor();
  await page.getByText('<img src=x onerror=alert(1)>⟨202e⟩').waitFor();
  await page.getByText('selects-nothing').waitFor();
  await page.goto(`http://127.0.0.1:${port}/#/policies?policy=NetworkPolicy/shop/gone`);
  await page.getByRole('heading', { name: 'Not in force' }).waitFor();
});

t.test('the matrix says who may reach whom, and a cell why', async (t) => {
  const page = await open(t, '#/policies?show=matrix&by=pod', 1280, /status of 400 .*matrix/);
  const cell = (from: string, to: string, port: string) =>
    page.getByRole('button', { name: new RegExp(`^${from} to ${to}, ${port}`) });
  await cell('shop/client', 'shop/web', `${WEB_PORT}/TCP: some requests`).waitFor();
  await cell('shop/stranger', 'shop/web', `${WEB_PORT}/TCP: denied`).click();
  const why = page.getByRole('complementary', { name: 'Why' });
  await why.getByRole('link', { name: /CiliumNetworkPolicy\/shop\/web spec\.ingressDeny\[0\]/ }).waitFor();
  await screenshots(page, 'matrix');
  t.same(await seriousFaults(page), []);
  await page.getByLabel('Ports').fill('443, nonsense');
  await page.keyboard.press('Tab');
  await page.getByText("found port 'nonsense'").waitFor();
  await page.getByLabel('Ports').fill(`${WEB_PORT} 443`);
  await page.keyboard.press('Tab');
  await cell('shop/web', 'world', '443/TCP: allowed').waitFor();
  await cell('shop/stranger', 'shop/web', `${WEB_PORT}/TCP`).focus();
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await why.getByRole('heading', { name: /shop\/client → shop\/web/ }).waitFor();
  await why.getByRole('link', { name: 'Flows of this pair' }).click();
  await page.getByLabel('Query').waitFor();
  t.equal(
    await page.getByLabel('Query').inputValue(),
    `--from-pod shop/client --to-pod shop/web --to-port ${WEB_PORT}`,
  );
});

t.test(
  'on a telephone the list and a policy are one below the other, and nothing is wider than the screen',
  async (t) => {
    const page = await open(t, '#/policies?policy=CiliumNetworkPolicy%2Fshop%2Fweb', 360);
    await page.getByRole('link', { name: 'All policies' }).waitFor();
    t.ok(await page.evaluate('document.documentElement.scrollWidth <= 360'));
    await page.getByRole('link', { name: 'All policies' }).click();
    await page.getByText('2 policies').waitFor();
    t.ok(await page.evaluate('document.documentElement.scrollWidth <= 360'));
  },
);

t.test('a surge of drops and a rate of requests show in the charts', async (t) => {
  const page = await open(t, '#/charts?minutes=2');
  const chart = (name: string) => page.getByRole('region', { name, exact: true });
  await chart('Packets').getByText('INGRESS').waitFor();
  const isOver = new AbortController();
  const traffic = (from: string) => async (): Promise<void> => {
    while (!isOver.signal.aborted) await request(from);
  };
  const ended = Promise.all([traffic('shop/client')(), traffic('shop/stranger')()]);
  const figure = (of: string, line: string) =>
    chart(of).getByRole('listitem').filter({ hasText: line }).locator('strong');
  const isAbove = (of: string, line: string) => async (): Promise<boolean> =>
    Number.parseFloat(await figure(of, line).innerText()) > 0;
  await figure('Drops by reason', 'Policy denied').waitFor();
  await waitFor('drops in the chart', isAbove('Drops by reason', 'Policy denied'));
  await waitFor('requests in the chart', isAbove('L7 messages', 'http forwarded'));
  await figure('HTTP latency', 'p95').waitFor();
  await waitFor('a latency', isAbove('HTTP latency', 'p95'));
  await figure('Throughput of ports', 'shop/web sent').waitFor();
  t.match(await figure('Load of loop and CPU', 'loop').innerText(), /^[\d.]+ %$/);
  t.match(await chart('Drops by reason').locator('path.s1').first().getAttribute('d'), /^M.*L/);
  isOver.abort();
  await ended;
  await chart('Drops by reason').getByText('Table').click();
  await page.getByRole('region', { name: 'Table of Drops by reason' }).getByRole('row').nth(2).waitFor();
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    t.same(await seriousFaults(page), []);
  }
  await screenshots(page, 'charts');
  await page.setViewportSize({ width: 360, height: 640 });
  t.ok(await page.evaluate('document.documentElement.scrollWidth <= 360'));
});

t.test('charts say that the agent is away, and go on when it answers again', async (t) => {
  const page = await open(t, '#/charts', 1280, /status of 503|metrics/);
  await page.getByRole('region', { name: 'Packets', exact: true }).getByText('INGRESS').waitFor();
  await page.route('**/metrics', (route) => route.fulfill({ status: 503, body: '{"error":"away <b>"}' }));
  await page.getByText('Nothing new: away <b>.').waitFor();
  await page.unroute('**/metrics');
  await page.getByText('Nothing new').waitFor({ state: 'detached' });
});
