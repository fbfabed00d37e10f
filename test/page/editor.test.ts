// The policy editor in a browser: drawing and text, each changing the other, with answers of the agent that the test makes up.
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text as textOfStream } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { PATIENCE_MS } from '../command.ts';
import { launchBrowser, openPage, screenshots, seriousFaults } from './browser.ts';
import { json, servePage } from './served.ts';

const EVIL = '\u202e<img src=x onerror=alert(1)>\u0007';
const POLICY = `# Written by hand.
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: web, namespace: shop } # ours
spec:
  endpointSelector: { matchLabels: { app: web } }
  ingress:
    # The clients.
    - fromEndpoints:
        - matchLabels: { app: client }
      toPorts:
        - ports: [{ port: "80", protocol: TCP }]
          rules: { http: [{ method: GET, path: /public }] }
    - fromCIDRSet: [{ cidr: 10.0.0.0/8, except: [10.1.0.0/16] }]
  ingressDeny:
    - fromEntities: [world]
  egress:
    - toFQDNs: [{ matchName: example.com }]
      authentication: { mode: disabled }
`;
const IN_FORCE = [
  {
    kind: 'CiliumNetworkPolicy',
    namespace: 'shop',
    name: 'web',
    file: 'a.yaml',
    line: 1,
    object: {
      apiVersion: 'cilium.io/v2',
      kind: 'CiliumNetworkPolicy',
      metadata: { name: 'web', namespace: 'shop', creationTimestamp: '2026-01-01T00:00:00Z' },
      spec: { endpointSelector: { matchLabels: { app: EVIL } }, ingress: [{}] },
    },
  },
];
const CHANGE = {
  before: 'allowed',
  after: 'denied',
  isAudited: false,
  policies: ['CiliumNetworkPolicy/shop/web'],
  flows: 12,
  from: { labels: ['k8s:app=client', 'k8s:io.kubernetes.pod.namespace=shop'], namespace: 'shop' },
  to: { ip: '192.0.2.7' },
  protocol: 'TCP',
  port: 443,
};
const REPLAY = {
  flows: 40,
  judged: 38,
  connections: 3,
  counts: { 'allowed -> denied': 12 },
  unjudged: {},
  changed: [CHANGE],
};
t.setTimeout(PATIENCE_MS * 4);
const browser = await launchBrowser(t);

const answering =
  (answer: (body: Record<string, unknown>) => unknown) =>
  (request: IncomingMessage, response: ServerResponse): void =>
    void textOfStream(request).then((body) =>
      json(answer(JSON.parse(body) as Record<string, unknown>))(request, response),
    );

const ROUTES = {
  '/v1/status': json({ nodeName: 'n', name: 'sluice', version: '1' }),
  '/v1/policies': json(IN_FORCE),
  '/ui/v1/session': json({ write: true }),
  '/ui/v1/validate': answering(({ manifests }) => ({
    valid: true,
    documents: [],
    problems: String(manifests).includes('surprise')
      ? [
          {
            file: 'editor',
            line: 5,
            column: 1,
            severity: 'error',
            path: 'surprise',
            code: 'unknown-field',
            message: `found unknown field ${EVIL}`,
            hint: 'take it away',
          },
        ]
      : [],
  })),
  '/ui/v1/replay': answering(() => REPLAY),
};

const textArea = (page: Page) => page.getByLabel('Policy as YAML');
/** Waits until the text is what is wanted, or is in it. */
async function textIs(t: Test, page: Page, wanted: string | RegExp): Promise<void> {
  const isThere = (text: string) => (typeof wanted === 'string' ? text === wanted : wanted.test(text));
  const deadline = Date.now() + PATIENCE_MS;
  let text = await textArea(page).inputValue();
  while (!isThere(text) && Date.now() < deadline) {
    await delay(50);
    text = await textArea(page).inputValue();
  }
  if (typeof wanted === 'string') t.equal(text, wanted);
  else t.match(text, wanted);
}

async function openEditor(t: Test, text: string): Promise<Page> {
  const { url } = await servePage(t, ROUTES);
  const page = await openPage(t, browser, `${url}#/editor`);
  page.setDefaultTimeout(PATIENCE_MS);
  await page.getByRole('button', { name: 'One port for one kind of client' }).click();
  await textArea(page).fill(text);
  return page;
}

t.test('the text is drawn, and clicks on the drawing change the text and nothing else of it', async (t) => {
  const page = await openEditor(t, POLICY);
  const group = (name: string) => page.getByRole('region', { name, exact: true });
  await group('In namespace shop').getByText('app=client').first().waitFor();
  t.equal(await group('Outside the cluster').getByText('10.0.0.0/8 except 10.1.0.0/16').count(), 1);
  t.equal(await group('Outside the cluster').getByText('example.com', { exact: true }).count(), 1);
  t.match(await page.locator('.kept').innerText(), /spec\.egress\[0\]\.authentication/);

  await page.getByRole('button', { name: 'Add: In the cluster, ingress' }).click();
  const form = page.getByRole('dialog', { name: 'Who may come in' });
  await form.getByLabel('Who').selectOption('pods of another namespace');
  await form.getByRole('button', { name: 'Put into the policy' }).click();
  await form.getByText('the namespace is missing').waitFor();
  await form.getByLabel('Namespace').fill('monitoring');
  await form.getByLabel('Labels').fill('app=prometheus');
  await form.getByLabel('Ports').fill('9090, 9100-9105/TCP');
  await form.getByRole('button', { name: 'Put into the policy' }).click();
  await form.waitFor({ state: 'detached' });
  const added = POLICY.replace(
    '[10.1.0.0/16] }]\n',
    `[10.1.0.0/16] }]
    - fromEndpoints:
        - matchLabels: { k8s:io.kubernetes.pod.namespace: monitoring, app: prometheus }
      toPorts:
        - ports:
            - { port: "9090", protocol: TCP }
            - { port: "9100", endPort: 9105, protocol: TCP }
`,
  );
  await textIs(t, page, added);
  await group('In the cluster').getByText('app=prometheus of monitoring').waitFor();

  await page.getByRole('button', { name: 'Take away GET /public' }).click();
  await page.getByText('the last request stays').waitFor();
  await page.getByRole('button', { name: 'Every request' }).click();
  const open = added.replace('\n          rules: { http: [{ method: GET, path: /public }] }', '');
  await textIs(t, page, open);
  await page.keyboard.press('Control+z');
  await textIs(t, page, added);
  await page.keyboard.press('Control+Shift+z');
  await textIs(t, page, open);
  for (let i = 0; i < 2; i++) await page.getByRole('button', { name: 'Undo' }).click();
  await textIs(t, page, POLICY);

  await page.getByText('12 would be denied').waitFor();
  await page.getByRole('cell', { name: 'shop/app=client' }).waitFor();
  await screenshots(page, 'editor');
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    t.same(await seriousFaults(page), []);
  }
});

t.test('what is typed is drawn; mistakes are marked, and the drawing waits', async (t) => {
  const page = await openEditor(t, POLICY);
  const textarea = textArea(page);
  await page.getByText('✓ No problems').waitFor();
  await textarea.fill(`${POLICY}surprise: 1\n`);
  await page.getByText('found unknown field ⟨202e⟩<img').waitFor();
  t.equal(await textarea.getAttribute('aria-invalid'), 'true');
  await page.getByRole('button', { name: 'error in line 5' }).click();
  t.equal(
    await textarea.evaluate((area) => (area as unknown as { selectionStart: number }).selectionStart),
    POLICY.indexOf('spec:'),
  );
  await page.locator('.kept').getByText('surprise').waitFor();

  await textarea.fill(POLICY.replace('spec:', 'spec: ['));
  await page.getByText('The text has mistakes').waitFor();
  t.equal(await page.getByRole('button', { name: 'Everything else is dropped' }).first().isDisabled(), true);
  await textarea.fill(POLICY.replace('app: web', `app: ${JSON.stringify(EVIL)}`));
  await page.getByRole('button', { name: 'Change the pods: app=⟨202e⟩<img src=x onerror=alert(1)>⟨0007⟩' }).waitFor();
  await textarea.fill('nothing: at all');
  await page.getByText('Nothing to draw').waitFor();
  await textarea.press('Control+z');
  await page.getByRole('button', { name: /Change the pods/ }).waitFor();
});

t.test('examples are opened, changed by a click and taken back, byte for byte', async (t) => {
  const page = await openEditor(t, POLICY);
  const files = [
    'icmp/policies/2-ping',
    'kafka-orders/policies/topics',
    'tour/policies/policies',
    'egress-cidr/policies/egress',
  ];
  for (const file of files) {
    const text = readFileSync(`examples/${file}.yaml`, 'utf8');
    await textArea(page).fill(text);
    await page.getByRole('button', { name: 'On trial' }).click();
    await textIs(t, page, /sluice\.io\/audit/);
    await page.getByRole('button', { name: 'Remove' }).first().click();
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByRole('button', { name: 'Undo' }).click();
    await textIs(t, page, text);
  }
});

t.test('of a policy with a thousand entries a part is drawn, and the page answers', async (t) => {
  const entries = Array.from({ length: 1000 }, (_, i) => `    - fromCIDR: [10.${i >> 8}.${i & 255}.0/24]\n`);
  const page = await openEditor(t, POLICY);
  // fill() types: a thousand lines take it longer than they take the page.
  const long = POLICY.replace('  ingressDeny:', () => `${entries.join('')}  ingressDeny:`);
  await textArea(page).evaluate((area, text) => {
    (area as unknown as { value: string }).value = text;
    area.dispatchEvent(new Event('input', { bubbles: true }));
  }, long);
  await page.getByText('and 902 more, in the text').waitFor();
  await page.getByRole('button', { name: 'Take away 10.0.0.0/24' }).click();
  await page.getByText('and 901 more, in the text').waitFor();
});

t.test('a policy in force is opened by its address, made one of another kind, and closed', async (t) => {
  const { url } = await servePage(t, ROUTES);
  const page = await openPage(t, browser, `${url}#/editor?policy=CiliumNetworkPolicy%2Fshop%2Fweb`);
  page.setDefaultTimeout(PATIENCE_MS);
  await page.getByRole('button', { name: /Change the pods: app=⟨202e⟩/ }).waitFor();
  t.notMatch(await textArea(page).inputValue(), /creationTimestamp/);
  await page.getByLabel('Kind').selectOption('NetworkPolicy');
  await textIs(t, page, /policyTypes/);
  await page.getByLabel('Kind').selectOption('CiliumNetworkPolicy');
  await page.getByRole('button', { name: 'On trial' }).click();
  await textIs(t, page, /sluice\.io\/audit/);
  page.once('dialog', (dialog) => void dialog.accept());
  await page.getByRole('button', { name: 'Close' }).click();
  await page.getByRole('heading', { name: 'New from a template' }).waitFor();
  await screenshots(page, 'editor-start');
  t.same(await seriousFaults(page), []);
});

t.test('on a telephone nothing is wider than the screen', async (t) => {
  const { url } = await servePage(t, ROUTES);
  const page = await openPage(t, browser, `${url}#/editor?policy=CiliumNetworkPolicy%2Fshop%2Fweb`, {
    viewport: { width: 360, height: 640 },
  });
  await page.getByRole('button', { name: /Change the pods/ }).waitFor();
  t.ok(await page.evaluate('document.documentElement.scrollWidth <= 360'));
  await screenshots(page, 'editor-telephone');
});
