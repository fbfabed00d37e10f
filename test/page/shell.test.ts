// The page's frame in a browser: views, address, keys, theme, and an agent that goes away and comes back.
import t from 'tap';
import { launchBrowser, openPage, screenshots, seriousFaults } from './browser.ts';
import { observer } from './observer.ts';
import { json, servePage } from './served.ts';

const STATUS = { name: 'sluice', version: '9.9.9', nodeName: 'node-\u202e1' };
const browser = await launchBrowser(t);

t.test(
  'the shell loads, its views are reached by links and by keys, and the address says which is shown',
  async (t) => {
    const { url } = await servePage(t, { ...observer(t).routes, '/v1/status': json(STATUS) });
    const page = await openPage(t, browser, url);
    await page.getByText('Live: node-⟨202e⟩1').waitFor();
    await page.getByRole('link', { name: 'Flows' }).click();
    await page.waitForURL(/#\/flows$/);
    await page.waitForFunction(() => (globalThis as any).document.title === 'Flows - Sluice');
    await page.keyboard.press('3');
    await page.waitForURL(/#\/policies$/);
    await page.goBack();
    await page.waitForURL(/#\/flows$/);
    t.equal(await page.getByRole('link', { name: 'Flows' }).getAttribute('aria-current'), 'page');
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      t.same(await seriousFaults(page), []);
    }
    await screenshots(page, 'shell');
  },
);

t.test('the query stays in the address and goes along to other views', async (t) => {
  const { url } = await servePage(t, { ...observer(t).routes, '/v1/status': json(STATUS) });
  const page = await openPage(t, browser, `${url}#/flows`);
  await page.getByRole('navigation').waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('--pod 1/2');
  t.match(page.url(), /#\/flows\?q=--pod\+1%2F2$/, 'digits and slashes that are typed are no commands');
  await page.keyboard.press('Escape');
  await page.keyboard.press('1');
  await page.waitForURL(/#\/map\?q=--pod\+1%2F2$/);
  t.equal(await page.getByLabel('Query').inputValue(), '--pod 1/2');
});

t.test('the help lists the keys and closes by Escape', async (t) => {
  const { url } = await servePage(t, { ...observer(t).routes, '/v1/status': json(STATUS) });
  const page = await openPage(t, browser, url);
  await page.getByRole('navigation').waitFor();
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keys' }).getByText('go to Charts').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
});

t.test("the theme is the system's until one is chosen, which a reload keeps", async (t) => {
  const { url } = await servePage(t, { ...observer(t).routes, '/v1/status': json(STATUS) });
  const page = await openPage(t, browser, url, { colorScheme: 'dark' });
  const paper = () => page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
  const button = page.getByRole('button', { name: 'Theme' });
  await button.waitFor();
  const dark = await paper();
  await button.click();
  const light = await paper();
  t.not(light, dark);
  await page.reload();
  await button.waitFor();
  t.equal(await paper(), light);
  await button.click();
  t.equal(await paper(), dark);
});

t.test('an agent that goes away is told, and the page connects by itself when it is back', async (t) => {
  const served = await servePage(t, { ...observer(t).routes, '/v1/status': json(STATUS) });
  const page = await openPage(t, browser, served.url, { forgives: /ERR_|Failed to load resource/ });
  await page.getByText('Live:').waitFor();
  await served.stop();
  await page.evaluate("window.dispatchEvent(new Event('online'))");
  await page.getByText('the agent does not answer').waitFor();
  await page.getByText('Not connected').waitFor();
  t.ok(
    await page.evaluate(
      '(({ scrollWidth, clientWidth }) => scrollWidth <= clientWidth)(document.querySelector(".word"))',
    ),
  );
  t.ok((await page.getByRole('banner').boundingBox())!.height < 48, 'what is wrong does not take another row');
  await served.start();
  await page.getByText('Live:').waitFor();
  await page.getByText('Connected again').waitFor();
});

t.test('on a telephone nothing is wider than the screen, nor what is wrong', async (t) => {
  const status = { '/v1/status': json(STATUS) };
  const viewport = { width: 360, height: 640 };
  const fits = 'document.documentElement.scrollWidth <= 360';
  const { url } = await servePage(t, { ...observer(t).routes, ...status });
  const page = await openPage(t, browser, url, { viewport });
  await page.getByText('Live:').waitFor();
  t.ok(await page.evaluate(fits));
  const mute = await servePage(t, status);
  const lost = await openPage(t, browser, mute.url, { viewport, forgives: /Failed to load resource/ });
  await lost.getByText('the agent answered the question for flows with status 404').waitFor();
  t.ok(await lost.evaluate(fits), 'with a long reason too');
});
