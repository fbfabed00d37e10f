/** `sluice drops`: as a table, as JSON, and on a terminal of its own. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { hubbleSocket } from '../../api/sockets.ts';
import type { Flow } from '../../hubble/flow.ts';
import { programPath } from '../../linux/programs.ts';
import { testHost } from '../../test/cli-host.ts';
import { waitFor } from '../../test/command.ts';
import { flowsOf, podEnd, worldEnd } from '../../test/recorded-flows.ts';
import { run } from '../program.ts';
import { DropTable } from './drop-table.ts';

const web = podEnd('shop/web-0', { app: 'web' });
const api = podEnd('shop/api-0', { app: 'api' }, { id: 2, ip: '10.0.0.2' });

/** The verdict of a refused packet, and the drop that follows it. */
function dropped(port: number, more: Partial<Flow> = {}): Flow[] {
  const flows = flowsOf({ from: web, to: api, port, droppedBy: 'ingress' });
  const denied = [{ kind: 'NetworkPolicy', namespace: 'shop', name: 'closed' }];
  const verdict = { ...flows[1], ingress_denied_by: denied };
  return [flows[0], verdict, { ...verdict, event_type: { type: 1, sub_type: 133 }, ...more }];
}

const evil = dropped(81, { source: { ...web.endpoint, pod_name: 'a\x1b[2Jb' } });
const FLOWS = [
  ...dropped(80),
  ...dropped(80, { uuid: 'last-one' }),
  ...evil,
  ...flowsOf({
    from: worldEnd('192.0.2.1'),
    to: api,
    port: 80,
    request: { http: { method: 'GET', url: '/x' } },
    isRefused: true,
  }),
];

const runDir = mkdtempSync(join(tmpdir(), 'sluice-drops-'));
t.teardown(() => rmSync(runDir, { recursive: true }));
const followers: ServerResponse[] = [];
const server = createServer((request, response) => {
  const isFollowed = (request.url ?? '').includes('follow');
  const text = FLOWS.map((flow) => `${JSON.stringify({ flow })}\n`).join('');
  if (!isFollowed) response.end(text);
  else {
    response.write(text);
    followers.push(response);
  }
});
await new Promise<void>((resolve) => server.listen(hubbleSocket(runDir), resolve));
t.teardown(() => {
  server.closeAllConnections();
  server.close();
});

async function drops(...argv: string[]): Promise<{ code: number; stdout: string }> {
  const { host, stdout } = testHost('', { SLUICE_RUN_DIR: runDir });
  const code = await run(['drops', ...argv], host);
  return { code, stdout: stdout() };
}

t.test('drops are told by what they have in common, each packet once', async (t) => {
  const { stdout, code } = await drops();
  t.equal(code, 0);
  t.match(
    stdout,
    /^DROPS +REASON +FROM +TO +PORT +BY\n2 +Policy denied +shop\/web-0 +shop\/api-0 +80\/TCP +NetworkPolicy\/shop\/closed\n/,
  );
  t.match(stdout, /\n1 +Request refused +192\.0\.2\.1 +shop\/api-0 +80\/TCP\n/);
  t.match(stdout, 'a\\x1b[2Jb');
  t.notMatch(stdout, '\x1b');
  t.match(stdout, '\n4 drops\n');
  const answer = JSON.parse((await drops('--once', '-o', 'json')).stdout);
  t.match(answer, {
    drops: 4,
    others: 0,
    rows: [{ count: 2, uuid: 'last-one', policies: ['NetworkPolicy/shop/closed'] }, {}, {}],
  });
});

t.test('on a terminal the screen is drawn anew, no line wider than it is, and given back at the end', async (t) => {
  const command = `stty cols 60 rows 12; exec ${process.execPath} ${programPath('sluice')} drops`;
  const child = spawn('script', ['-qfec', command, '/dev/null'], {
    env: { ...process.env, SLUICE_RUN_DIR: runDir, TERM: 'xterm', NO_COLOR: '1' },
  });
  t.teardown(() => child.kill('SIGKILL'));
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await waitFor('the drops to be drawn', async () => text.includes('4 drops, 2.0 a second; Ctrl-C ends'));
  const [screen] = text.split('\x1b[H').slice(-1);
  for (const line of screen.replaceAll(/\x1b\[[?\d]*[A-Za-z]/g, '').split('\r\n')) t.ok(line.length <= 60, line);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.stdin.write('\x03');
  t.equal(await ended, 0);
  t.match(text, /\x1b\[\?1049h\x1b\[\?25l/);
  const after = text.slice(text.indexOf('\x1b[?25h\x1b[?1049l'));
  t.match(after, /DROPS +REASON[^]*\n4 drops/, 'the last table stays');
});

t.test('kinds beyond those that are told apart are counted', async (t) => {
  const table = new DropTable();
  for (let port = 1; port <= 5000; port++) for (const flow of dropped(port)) table.take(flow);
  t.equal(table.rows().length, 4096);
  t.equal(table.others, 904);
  t.equal(table.total, 5000);
});

t.test('a flow that stands for many counts as many', async (t) => {
  const table = new DropTable();
  for (const flow of dropped(80, { aggregate: { ingress_flow_count: 41 } })) table.take(flow);
  table.tick(2);
  t.match(table.rows(), [{ count: 41, rate: 20.5 }]);
});
