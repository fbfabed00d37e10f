// The table of flows and the query line in a browser: many flows, hostile names, keys, history, export, narrow screens.
import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import t from 'tap';
import type { Envelope, Flow } from '../../hubble/flow.ts';
import { TownFlows } from '../town-flows.ts';
import { launchBrowser, openPage, screenshots, seriousFaults } from './browser.ts';
import { observer } from './observer.ts';
import { json, servePage } from './served.ts';

const STATUS = { name: 'sluice', version: '9.9.9', nodeName: 'node-1' };
const browser = await launchBrowser(t);
const town = new TownFlows();

const some = (count: number, fromMs = Date.now() - count) =>
  Array.from({ length: count }, (_, index) => town.next(fromMs + index));

/** A flow like another, but for what is said. */
function strange(changes: Partial<Flow>): Envelope {
  const envelope = town.next(Date.now());
  const flow = { ...envelope.flow!, ...changes };
  return { ...envelope, flow };
}

const denied = (uuid: string, pod: string): Envelope =>
  strange({
    uuid,
    verdict: 'DROPPED',
    is_reply: false,
    drop_reason: 133,
    drop_reason_desc: 'POLICY_DENIED',
    source: { namespace: 'shop', pod_name: pod, identity: 9999, labels: ['k8s:app=web'] },
    ingress_denied_by: [{ name: 'no-way', namespace: 'shop', kind: 'NetworkPolicy' }],
    event_type: { type: 1, sub_type: 133 },
  });

const rows = (page: Page) => page.locator('.flow-row');
const query = (page: Page, text: string) => page.getByLabel('Query', { exact: true }).fill(text);

t.test('50,000 flows are a table, and 5,000 more a second leave no long frame', async (t) => {
  const { routes, tell } = observer(t);
  tell(some(20_000));
  const { url } = await servePage(t, { '/v1/status': json(STATUS), ...routes });
  const page = await openPage(t, browser, `${url}#/flows`);
  await page.getByText(/^20,000 flows/).waitFor();
  t.ok((await rows(page).count()) < 100, 'only rows in sight exist');
  await page.evaluate(`globalThis.longest = 0; (() => {
    let last = performance.now();
    const frame = (now) => { longest = Math.max(longest, now - last); last = now; requestAnimationFrame(frame); };
    requestAnimationFrame(frame);
  })()`);
  const cpuSeconds = await cpuClock(page);
  const cpuBegan = await cpuSeconds();
  for (let step = 0; step < 60; step++) {
    tell(some(500, Date.now()));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await page.getByText(/^50,000 flows/).waitFor();
  const cpu = (await cpuSeconds()) - cpuBegan;
  const longest = await page.evaluate<number>('longest');
  t.comment(
    `30,000 flows in some 6 s: the main thread was busy for ${cpu.toFixed(2)} s, longest frame ${longest.toFixed(0)} ms`,
  );
  t.ok(cpu < 3, `${cpu} s`);
  const grid = page.getByRole('grid', { name: 'Flows' });
  t.equal(await grid.getAttribute('aria-rowcount'), '50001');
  const first = rows(page).first();
  const was = await first.textContent();
  await page.evaluate("document.querySelector('.flow-grid').scrollTop = 28 * 25000");
  await page.locator('.flow-row[aria-rowindex="25010"] .cell-time').filter({ hasText: /:/ }).waitFor();
  tell([denied('late-1', 'late-0')]);
  await page.getByRole('button', { name: '1 new: to the newest' }).click();
  await page.getByText('shop/late-0').first().waitFor();
  t.not(await first.textContent(), was);
});

/** How long the page's main thread has worked, by its own clock: what others do on this machine does not count. */
async function cpuClock(page: Page): Promise<() => Promise<number>> {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  return async () => {
    const { metrics } = await session.send('Performance.getMetrics');
    return metrics.find(({ name }) => name === 'TaskDuration')!.value;
  };
}

t.test('a drop is seen with its policy; the query narrows; the details tell all', async (t) => {
  const { routes, tell } = observer(t);
  tell(some(300));
  const { url } = await servePage(t, {
    '/v1/status': json(STATUS),
    ...routes,
    '/v1/endpoints': json([{ namespace: 'shop', pod: 'web-7', labels: ['k8s:app=web'] }]),
  });
  const page = await openPage(t, browser, `${url}#/flows`);
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.getByText(/^300 flows/).waitFor();
  tell([denied('drop-1', 'web-7')]);
  const row = rows(page).filter({ hasText: 'shop/web-7' });
  await row.waitFor();
  t.match(await row.textContent(), /dropped.*Policy denied.*shop\/no-way/);
  await page.setViewportSize({ width: 1000, height: 460 });
  await screenshots(page, 'flows');
  await page.setViewportSize({ width: 1280, height: 800 });

  const line = page.getByRole('combobox', { name: 'Query' });
  await line.click();
  await line.pressSequentially('web-7');
  await page.getByRole('option', { name: /--pod shop\/web-7/ }).waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  t.match(await line.inputValue(), /^--pod shop\/web-7 $/);
  await page.getByText(/^1 flows/).waitFor();
  await query(page, '--verdict DROPPED no-way');
  await page.getByText(/^1 flows/).waitFor();
  await query(page, '--verdict dropped');
  await page.getByText('invalid --verdict value: dropped').waitFor();
  await query(page, '--not --pod shop/web-7');
  await page.getByText(/^300 flows/).waitFor();
  await query(page, 'nothing has this');
  await page.getByText('No flow matches the query').waitFor();
  await page.getByRole('button', { name: 'Show all flows' }).click();
  await page.getByText(/^301 flows/).waitFor();

  await page.getByRole('grid').focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  const details = page.getByRole('complementary', { name: 'Details of the flow' });
  await details.getByText('shop/web-7', { exact: true }).waitFor();
  t.match(page.url(), /flow=drop-1/);
  t.match(await details.textContent(), /No policy allows this peer on this port.*/);
  await details.getByText('As JSON').click();
  t.match(await details.locator('pre').textContent(), /"uuid": "drop-1"/);
  t.ok(
    await page.evaluate(
      "(({ scrollWidth, clientWidth }) => scrollWidth <= clientWidth)(document.querySelector('.flow-detail'))",
    ),
  );
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    t.same(await seriousFaults(page), []);
  }
  await screenshots(page, 'flow-detail');
  await details.getByRole('button', { name: 'Copy as observe command' }).click();
  await page.getByText('The observe command is in the clipboard').waitFor();
  t.match(
    await page.evaluate<string>('navigator.clipboard.readText()'),
    /^sluice observe -f --from-pod shop\/web-7 .*--verdict DROPPED$/,
  );
  await page.keyboard.press('Escape');
  await details.waitFor({ state: 'detached' });
  t.ok(await page.evaluate("document.activeElement.matches('.flow-grid')"), 'the table has the focus again');

  await page.goto(`${url}#/flows?flow=drop-1`);
  await page.reload();
  await details.getByText('shop/web-7', { exact: true }).waitFor();
  await details.getByRole('button', { name: 'Only Pod shop/web-7' }).click();
  t.equal(await line.inputValue(), '--from-pod shop/web-7');
});

t.test('hostile names are shown and do nothing', async (t) => {
  const { routes, tell } = observer(t);
  const long = `x${'y'.repeat(252)}`;
  const names = [
    '<img src=x onerror=alert(1)>',
    'a\u001b[31mred',
    'gnp.\u202eexe',
    long,
    '=1+1',
    '"><script>alert(1)</script>',
  ];
  tell(names.map((name, index) => denied(`h-${index}`, name)));
  const { url } = await servePage(t, { '/v1/status': json(STATUS), ...routes });
  const page = await openPage(t, browser, `${url}#/flows`);
  page.on('dialog', () => t.fail('a name became a script'));
  await page.getByText(/^6 flows/).waitFor();
  for (const shown of [
    'shop/<img src=x onerror=alert(1)>',
    'shop/a⟨001b⟩[31mred',
    'shop/gnp.⟨202e⟩exe',
    `shop/${long}`,
  ])
    await page.getByText(shown, { exact: true }).first().waitFor();
  t.equal(await page.locator('.flow-grid img, .flow-grid script').count(), 0);
  t.equal(
    await page.evaluate("document.querySelector('.flow-row').offsetHeight"),
    28,
    'a long name makes no row higher',
  );
  await rows(page).filter({ hasText: long }).click();
  await page.getByRole('complementary').getByText(`shop/${long}`, { exact: true }).waitFor();
  t.ok(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'));
  await page.getByText('Export').click();
  const [csv] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'CSV' }).click()]);
  const text = readFileSync(await csv.path(), 'utf8');
  t.match(text, 'shop/gnp.⟨202e⟩exe');
  t.match(text, '"shop/""><script>alert(1)</script>"');
  const [lines] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'JSON lines' }).click(),
  ]);
  const flows = readFileSync(await lines.path(), 'utf8')
    .trimEnd()
    .split('\n');
  t.strictSame(
    flows.map((line) => (JSON.parse(line) as Envelope).flow!.source.pod_name),
    names,
  );
  await screenshots(page, 'flows-hostile');
});

t.test('on a telephone rows are cards, and nothing is wider than the screen', async (t) => {
  const { routes, tell } = observer(t);
  tell([...some(200), denied('drop-1', 'web-7')]);
  const { url } = await servePage(t, { '/v1/status': json(STATUS), ...routes });
  const page = await openPage(t, browser, `${url}#/flows`, { viewport: { width: 360, height: 640 } });
  await page.getByText('shop/web-7').first().waitFor();
  t.ok(await page.evaluate('document.documentElement.scrollWidth <= 360'));
  t.ok(await page.evaluate("document.querySelector('.flow-grid').scrollWidth <= 360"));
  t.same(await seriousFaults(page), []);
  await screenshots(page, 'flows-narrow');
  await rows(page).first().click();
  await page.getByRole('complementary').getByText('shop/web-7', { exact: true }).waitFor();
  const panel = await page.getByRole('complementary').boundingBox();
  t.ok(panel!.height > 400, 'the details cover the table');
  t.ok(await page.evaluate('document.documentElement.scrollWidth <= 360'));
  t.same(await seriousFaults(page), []);
});

t.test('columns are chosen and kept; the order turns', async (t) => {
  const { routes, tell } = observer(t);
  tell(some(100));
  const { url } = await servePage(t, { '/v1/status': json(STATUS), ...routes });
  const page = await openPage(t, browser, `${url}#/flows`);
  await page.getByText(/^100 flows/).waitFor();
  await page.locator('summary').filter({ hasText: 'Columns' }).click();
  await page.getByLabel('Source identity').check();
  await page.getByLabel('Policy').uncheck();
  await page.reload();
  await page.getByRole('columnheader', { name: 'Source identity' }).waitFor();
  t.equal(await page.getByRole('columnheader', { name: 'Policy' }).count(), 0);
  const time = page.getByRole('columnheader', { name: 'Time' });
  t.equal(await time.getAttribute('aria-sort'), 'descending');
  await time.getByRole('button').click();
  t.equal(await time.getAttribute('aria-sort'), 'ascending');
  tell([denied('late', 'late-0')]);
  await page.getByText('shop/late-0').waitFor();
  const last = rows(page).last();
  t.match(await last.textContent(), /shop\/late-0/, 'the newest is at the bottom, and in sight');
});
