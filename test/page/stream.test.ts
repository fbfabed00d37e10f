// The stream of flows in a browser: what is there, what comes, another query, a break.
import t from 'tap';
import { TownFlows } from '../town-flows.ts';
import { launchBrowser, openPage, untilText } from './browser.ts';
import { observer } from './observer.ts';
import { json, servePage } from './served.ts';

const STATUS = { name: 'sluice', version: '9.9.9', nodeName: 'node-1' };
const browser = await launchBrowser(t);

t.test('flows that were there and flows that come are on the page, and a query narrows them', async (t) => {
  const town = new TownFlows();
  const { routes, tell } = observer(t);
  tell(Array.from({ length: 3000 }, () => town.next(Date.now())));
  const { url } = await servePage(t, { '/v1/status': json(STATUS), ...routes });
  const page = await openPage(t, browser, `${url}#/map?as=list`);
  await page.getByText(/\d+ connections between workloads/).waitFor();
  const strange = town.next(Date.now());
  const source = { namespace: 'shop', pod_name: 'late-<b>\u202e', identity: 9999 };
  const flow = { ...strange.flow!, uuid: 'late', source, verdict: 'DROPPED', is_reply: false } as const;
  tell([{ ...strange, flow }]);
  await untilText(page, 'shop/late-<b>⟨202e⟩');
  await page.getByLabel('Query').fill('--pod shop/late');
  await page.getByText('1 connections between').waitFor();
  await page.getByLabel('Query').fill('--nonsense 1');
  await page.getByText('found --nonsense, wanted a filter of observe').waitFor();
});

t.test('a stream that breaks is told, and goes on by itself without a gap', async (t) => {
  const town = new TownFlows();
  const { routes, tell } = observer(t);
  tell([town.next(Date.now())]);
  const served = await servePage(t, { '/v1/status': json(STATUS), ...routes });
  const page = await openPage(t, browser, `${served.url}#/map?as=list`, { forgives: /ERR_|Failed to load resource/ });
  await page.getByText('1 connections between').waitFor();
  await served.stop();
  await page.getByText('Not connected').waitFor();
  const source = { namespace: 'shop', pod_name: 'meanwhile', identity: 9999 };
  const next = town.next(Date.now());
  tell([{ ...next, flow: { ...next.flow!, source, is_reply: false } }]);
  await served.start();
  await page.getByRole('cell', { name: 'shop/meanwhile', exact: true }).waitFor();
  await page.getByText('Live:').waitFor();
});
