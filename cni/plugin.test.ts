/** The plugin where no agent is: what it answers by itself, what it reads of a configuration, what it keeps for later. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { CNI_PLUGIN } from '../linux/programs.ts';
import { run } from '../test/command.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-plugin-'));
t.teardown(() => rmSync(folder, { recursive: true }));
const NAMES = { CNI_CONTAINERID: 'c1', CNI_IFNAME: 'eth0', CNI_NETNS: '/run/netns/x', CNI_PATH: folder };

function plugin(command: string, input: string | Buffer, environment: object = NAMES) {
  const { status, stdout } = spawnSync(CNI_PLUGIN, [], {
    input,
    env: { CNI_COMMAND: command, ...environment },
    encoding: 'utf8',
  });
  return { status, stdout, answer: stdout === '' ? undefined : JSON.parse(stdout) };
}

t.test('it reads a configuration as JSON.parse() does', async (t) => {
  const cases = [
    '{"cniVersion":"0.4.0"}',
    ' {\n"a" : [ {"cniVersion":"9"} , "]}" ] , "cniVersion"\t:"0.3.1" }',
    '{"cniVersion":"1","cniVersion":"2"}',
    '{"a":{"cniVersion":"9"},"cniVersion":"1.1.0"}',
    String.raw`{"x":"\"cniVersion\":\"9\"","cniVersion":"a\"b\\\u00e9"}`,
    String.raw`{"x\"":{"y":"\\"},"cniVersion":"1.0.0","z":-1.5e3,"n":null,"t":true}`,
    `{"deep":${'['.repeat(40)}${']'.repeat(40)},"cniVersion":"1.0.0"}`,
  ];
  for (const text of cases) {
    const { cniVersion } = JSON.parse(text) as { cniVersion: string };
    t.equal(plugin('VERSION', text).answer?.cniVersion, cniVersion, text);
  }
  const none = [
    '',
    '{',
    '[]',
    'null',
    '{"cniVersion":1}',
    '{"cniVersion":"0.4.0"',
    '{"cniVersion',
    '{cniVersion:"9"}',
    '{"a":1 "b":2}',
  ];
  none.push(`{"deep":${'['.repeat(100)}${']'.repeat(100)},"cniVersion":"9"}`, '{"cniVersion":"9\\', '\0');
  for (const text of none) t.equal(plugin('VERSION', text).answer?.cniVersion, '1.0.0', JSON.stringify(text));
});

t.test('what is wrong is told by code', async (t) => {
  const config = JSON.stringify({ cniVersion: '1.1.0', runDir: folder });
  t.match(plugin('MOVE', config), { status: 1, answer: { cniVersion: '1.1.0', code: 4, msg: /^CNI_COMMAND/ } });
  t.match(plugin('', config), { status: 1, answer: { code: 4 } });
  t.match(plugin('ADD', Buffer.alloc(1_100_000, 32)), { status: 1, answer: { code: 5 } });
  t.match(plugin('ADD', String.raw`{"runDir":"/a\u0062"}`), { status: 1, answer: { code: 7, msg: /^runDir/ } });
  t.match(plugin('ADD', `{"runDir":"/${'x'.repeat(300)}"}`), { status: 1, answer: { code: 7, msg: /^runDir/ } });
  t.match(plugin('DEL', `{"ipam":{"type":"${'x'.repeat(300)}"}}`), {
    status: 1,
    answer: { code: 7, msg: /^ipam.type/ },
  });
  for (const [command, code] of [
    ['STATUS', 50],
    ['CHECK', 11],
    ['GC', 11],
  ] as const)
    t.match(plugin(command, config), { status: 1, answer: { code, details: /sluice.sock: No such file/ } });
});

t.test('a call of DEL waits for the agent, up to a limit', async (t) => {
  const config = JSON.stringify({ cniVersion: '1.0.0', runDir: join(folder, 'run') });
  const queue = join(folder, 'run/cni/deleted');
  t.match(plugin('DEL', config, { ...NAMES, CNI_ARGS: 'a="\\\t\n' }), { status: 0, stdout: '' });
  const [name] = readdirSync(queue);
  t.strictSame(JSON.parse(readFileSync(join(queue, name), 'utf8')), {
    environment: { CNI_COMMAND: 'DEL', ...NAMES, CNI_ARGS: 'a="\\\t\n' },
    config,
    outcomes: [],
  });
  t.equal(statSync(join(queue, name)).mode & 0o777, 0o600);
  t.equal(statSync(queue).mode & 0o777, 0o700);
  for (let i = 0; i < 255; i++) writeFileSync(join(queue, `x${i}`), '');
  t.match(plugin('DEL', config), { status: 1, answer: { code: 11, details: /holds 256 requests already/ } });
  t.match(plugin('DEL', JSON.stringify({ runDir: '/proc/nowhere' })), { status: 1, answer: { code: 11 } });
});

t.test('a delegated plugin is called though the agent is down, and its failure is told in its words', async (t) => {
  const config = JSON.stringify({ cniVersion: '1.0.0', runDir: join(folder, 'ipam'), ipam: { type: 'fake' } });
  t.match(plugin('DEL', config), { status: 1, answer: { code: 4, msg: /in no folder of CNI_PATH/ } });
  const fake = (script: string) => writeFileSync(join(folder, 'fake'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  fake(`{ echo "$CNI_COMMAND $CNI_CONTAINERID"; cat; } > ${folder}/told`);
  t.match(plugin('DEL', config), { status: 0, stdout: '' });
  t.equal(readFileSync(join(folder, 'told'), 'utf8'), `DEL c1\n${config}`);
  fake('echo \'{"code":123,"msg":"mine"}\'; exit 3');
  t.match(plugin('DEL', config), { status: 1, answer: { code: 123, msg: 'mine' } });
  fake('exit 3');
  t.match(plugin('DEL', config), { status: 1, answer: { code: 100, msg: /without a word/ } });
  fake('head -c 2000000 /dev/zero');
  t.match(plugin('DEL', config), { status: 1, answer: { code: 100, msg: /said more than 1 MiB/ } });
});

/** Something that answers on an agent's socket. */
async function serve(runDir: string, answer: (body: string) => { status: number; text: string }): Promise<Server> {
  mkdirSync(runDir, { recursive: true });
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (part: string) => (body += part));
    request.on('end', () => {
      const { status, text } = answer(body);
      response.writeHead(status, { 'content-length': Buffer.byteLength(text) }).end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(join(runDir, 'sluice.sock'), resolve));
  return server;
}

t.test('an address that an agent does not want after all goes back', async (t) => {
  const runDir = join(folder, 'refusing');
  const bodies: any[] = [];
  const server = await serve(runDir, (body) => {
    bodies.push(JSON.parse(body));
    if (bodies.length === 1) return { status: 202, text: 'ipam\n' };
    if (bodies.length === 2) return { status: 202, text: 'program\n/bin/echo\na b\n$(id)\n' };
    return { status: 422, text: '{"code":100,"msg":"no"}\n' };
  });
  t.teardown(() => server.close());
  writeFileSync(join(folder, 'fake'), `#!/bin/sh\necho "$CNI_COMMAND" >> ${folder}/calls\necho '{"ips":[]}'\n`, {
    mode: 0o755,
  });
  const environment = Object.entries({ CNI_COMMAND: 'ADD', ...NAMES }).map(([name, value]) => `${name}=${value}`);
  const input = JSON.stringify({ cniVersion: '1.0.0', runDir, ipam: { type: 'fake' } });
  const { code, stdout } = await run(['env', ...environment, CNI_PLUGIN], { input });
  t.strictSame([code, stdout], [1, '{"code":100,"msg":"no"}\n']);
  t.strictSame(bodies.at(-1).outcomes, [
    { kind: 'ipam', exit: 0, output: '{"ips":[]}\n', problem: '' },
    { kind: 'program', exit: 0, output: 'a b $(id)\n', problem: '' },
  ]);
  t.equal(readFileSync(join(folder, 'calls'), 'utf8'), 'ADD\nDEL\n');
});

t.test('an agent that answers something else is told of', async (t) => {
  const runDir = join(folder, 'other');
  const server = await serve(runDir, () => ({ status: 404, text: '{"error":"no such call"}' }));
  t.teardown(() => server.close());
  const input = JSON.stringify({ cniVersion: '1.0.0', runDir });
  const { code, stdout } = await run(['env', 'CNI_COMMAND=STATUS', CNI_PLUGIN], { input });
  t.match([code, JSON.parse(stdout)], [1, { code: 100, msg: /answered 404/, details: /no such call/ }]);
});
