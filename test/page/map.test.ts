/**
 * The service map with real traffic: a drop is on the page within a second, with the policy that made it; by keys, by touch, as a list.
 *
 *   shop/web, shop/stranger ── dataplane ── shop/db      policy shop/db-guard: only from web, UDP 5353
 */
import t from 'tap';
import { Cleanup, makeNetns, waitFor } from '../command.ts';
import { SluiceInstance } from '../rig.ts';
import { launchBrowser, openPage, screenshots, seriousFaults, untilText } from './browser.ts';

t.jobs = 1;
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
const name = `slpm${process.pid.toString(36)}`;
const host = `${name}-host`;
await makeNetns(cleanup, host);
const options = { name, cleanup, netns: host, netnsPrefix: `${name}-`, createNamespaces: true, config: 'ui: true\n' };
const instance = await SluiceInstance.start(options);
t.teardown(() => instance.stop());

const pod = (podName: string) =>
  `{ apiVersion: v1, kind: Pod, metadata: { name: ${podName}, namespace: shop, labels: { app: ${podName} } } }\n---\n`;
await instance.send(`{ apiVersion: v1, kind: Namespace, metadata: { name: shop } }
---
${pod('web')}${pod('stranger')}${pod('db')}
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: db-guard, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: db } }
  ingress:
    - fromEndpoints: [{ matchLabels: { app: web } }]
      toPorts: [{ ports: [{ port: "5353", protocol: UDP }] }]
`);
await instance.untilReady(['shop/web', 'shop/stranger', 'shop/db']);
const endpoints: { pod: string; ipv4: string }[] = await instance.read('/v1/endpoints');
const { ipv4: db } = endpoints.find((endpoint) => endpoint.pod === 'db')!;
const send = (from: string) => instance.inPod(`shop/${from}`, ['bash', '-c', `echo hello > /dev/udp/${db}/5353`]);

const browser = await launchBrowser(t, host);
const url = 'http://127.0.0.1:12000/';

t.test('a drop is on the page within a second, with its policy', async (t) => {
  const page = await openPage(t, browser, `${url}#/map?focus=${encodeURIComponent('p shop/stranger → p shop/db')}`);
  await untilText(page, 'Live:');
  await send('web');
  await untilText(page, 'connections');
  t.notMatch(await page.textContent('main'), 'denied');
  const sent = performance.now();
  await send('stranger');
  await untilText(page, 'denied ingress shop/db-guard');
  t.ok(performance.now() - sent < 1000, `${(performance.now() - sent).toFixed(0)} ms`);
  await untilText(page, 'POLICY_DENIED');
  await page.getByRole('complementary', { name: 'Details' }).getByText('UDP 5353').waitFor();
  await untilText(page, '3 cards, 2 connections');
  await screenshots(page, 'map-edge');
  const link = page.getByRole('link', { name: 'Its flows' });
  t.match(decodeURIComponent((await link.getAttribute('href'))!), '--from-pod+shop/stranger+--to-pod+shop/db');
});

t.test('cards are reached by keys, found by name, and axe-core finds nothing serious', async (t) => {
  const page = await openPage(t, browser, url);
  const map = page.getByRole('application');
  await map.waitFor();
  await map.focus();
  await page.keyboard.press('ArrowRight');
  await page.waitForURL(/focus=/);
  await page.getByRole('complementary', { name: 'Details' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('complementary', { name: 'Details' }).waitFor({ state: 'detached' });
  await page.getByLabel('Find a card').fill('app=db');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'shop/db' }).waitFor();
  await page.getByRole('heading', { name: 'Is called by (2)' }).waitFor();
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    t.same(await seriousFaults(page), []);
  }
  await screenshots(page, 'map');
});

t.test('a click chooses what it meets, a drag moves the map', async (t) => {
  const page = await openPage(t, browser, url);
  const canvas = (await page.getByRole('application').boundingBox())!;
  const middle = { x: canvas.x + canvas.width / 2, y: canvas.y + canvas.height / 2 };
  // The whole map is in the middle of the canvas: its cards are around that point.
  const chosen = async () => {
    for (const y of [0, 36, -36, 72].map((dy) => middle.y + dy)) {
      for (let x = middle.x - 300; x <= middle.x + 300; x += 50) {
        await page.mouse.click(x, y);
        if (/focus=/.test(page.url())) return { x, y };
      }
    }
    return undefined;
  };
  const hit = await chosen();
  t.not(hit, undefined, 'a card or an edge was met');
  await page.keyboard.press('Escape');
  await page.mouse.move(middle.x, canvas.y + 10);
  await page.mouse.down();
  await page.mouse.move(middle.x, canvas.y + canvas.height - 10, { steps: 4 });
  await page.mouse.up();
  await page.goto(`${url}#/map`);
  await page.mouse.click(hit!.x, hit!.y);
  t.notMatch(page.url(), 'focus=', 'what was there has moved away');
});

t.test('two fingers zoom, one moves, and the whole map comes back', async (t) => {
  const page = await openPage(t, browser, url, { hasTouch: true, viewport: { width: 720, height: 900 } });
  const map = page.getByRole('application');
  const { x, y, width, height } = (await map.boundingBox())!;
  const middle = { x: x + width / 2, y: y + height / 2 };
  const look = async () => (await map.screenshot()).toString('base64');
  const client = await page.context().newCDPSession(page);
  const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', ...distances: readonly number[]) =>
    client.send('Input.dispatchTouchEvent', {
      type,
      touchPoints: distances.map((distance, id) => ({ id, x: middle.x + distance, y: middle.y })),
    });
  const until = async (what: string, wanted: (now: string) => boolean) => {
    await waitFor(what, async () => wanted(await look()));
  };
  await page.getByRole('button', { name: 'Whole map' }).click();
  await map.hover();
  const whole = await look();
  await touch('touchStart', -30, 30);
  await touch('touchMove', -90, 90);
  await touch('touchEnd');
  await until('the map to be larger', (now) => now !== whole);
  const larger = await look();
  await touch('touchStart', 0);
  await touch('touchMove', 120);
  await touch('touchEnd');
  await until('the map to move', (now) => now !== larger && now !== whole);
  t.notMatch(page.url(), 'focus=', 'neither was a click');
  await page.getByRole('button', { name: 'Whole map' }).click();
  await until('the whole map', (now) => now === whole);
});

t.test('the list says the same in words', async (t) => {
  const page = await openPage(t, browser, `${url}#/map?as=list`, { viewport: { width: 360, height: 740 } });
  const row = page.getByRole('row').filter({ hasText: 'shop/stranger' });
  await row.getByText('dropped').waitFor();
  await row.getByRole('button', { name: 'shop/stranger to shop/db' }).click();
  await page.getByRole('complementary', { name: 'Details' }).getByText('denied ingress shop/db-guard').waitFor();
  t.same(await seriousFaults(page), []);
  t.ok(await page.evaluate('document.documentElement.scrollWidth <= 360'), 'a telephone is wide enough');
  await screenshots(page, 'map-list');
});
