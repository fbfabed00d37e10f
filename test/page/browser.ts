/**
 * Debian's chromium, one for each test file. A page that is opened here fails its test for each error in its console, each
 * exception, each violation of its Content-Security-Policy and each request to elsewhere, so that no test has to look for these.
 *
 * Screenshots go to dist/screenshots/, light and dark.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import axe from 'axe-core';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import type { Test } from 'tap';

const SCREENSHOTS = join(import.meta.dirname, '../../screenshots');

/** The tests run as root, where chromium's sandbox does not; there is no GPU, and /dev/shm may be small. */
const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'];

/** Starts the browser of a test file, in a network namespace if one is named; it ends with `t`. */
export async function launchBrowser(t: Test, netns?: string): Promise<Browser> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-browser-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  // The browser is told what to do over pipes, so it may be anywhere.
  const executablePath = join(folder, 'chromium');
  const where = netns === undefined ? '' : `nsenter --net=/run/netns/${netns} `;
  writeFileSync(executablePath, `#!/bin/sh\nexec ${where}/usr/bin/chromium "$@"\n`, { mode: 0o755 });
  const browser = await chromium.launch({ executablePath, args: ARGUMENTS });
  t.teardown(() => browser.close());
  return browser;
}

export interface PageOptions extends BrowserContextOptions {
  /** What the console may say nevertheless. */
  readonly forgives?: RegExp;
}

/** Opens `url` as somebody who was never there. It is closed with `t`, which then has failed for everything that went wrong in it. */
export async function openPage(t: Test, browser: Browser, url: string, options: PageOptions = {}): Promise<Page> {
  const { forgives, ...others } = options;
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...others });
  const page = await context.newPage();
  const wrong: string[] = [];
  const note = (text: string) => {
    if (!forgives?.test(text)) wrong.push(text);
  };
  page.on('console', (message) => {
    if (message.type() === 'error') note(`${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => note(error.stack ?? error.message));
  page.on('request', (request) => {
    if (!/^(blob|data):/.test(request.url()) && new URL(request.url()).origin !== new URL(url).origin)
      note(`a request to elsewhere: ${request.url()}`);
  });
  await page.addInitScript(`document.addEventListener('securitypolicyviolation', (event) => {
    console.error('policy violated: ' + event.violatedDirective + ' ' + event.blockedURI + ' ' + event.sourceFile);
  });`);
  t.teardown(async () => {
    await context.close();
    // Nothing can be asserted once a test has ended; what is thrown here fails it.
    if (wrong.length > 0) throw new Error(`the browser complains: ${wrong.join('; ')}`);
  });
  await page.goto(url);
  return page;
}

/**
 * Waits until the page has `text`, asking each frame: a locator is slow to ask in a page of thousands of elements. A predicate must be a
 * function here, as text would be an eval, which the page's policy forbids.
 */
export async function untilText(page: Page, text: string): Promise<void> {
  await page.waitForFunction((wanted) => (globalThis as any).document.body.textContent.includes(wanted), text);
}

/** Takes `NAME-light.png` and `NAME-dark.png` of what is shown. */
export async function screenshots(page: Page, name: string): Promise<void> {
  mkdirSync(SCREENSHOTS, { recursive: true });
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: join(SCREENSHOTS, `${name}-${colorScheme}.png`) });
  }
  await page.emulateMedia({ colorScheme: null });
}

/** What axe-core finds in the page that is serious: each with the elements it is about. */
export async function seriousFaults(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<axe.AxeResults>('axe.run()');
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(' ')}`);
}
