/** Commands of exec, run by the launcher in a network namespace, between streams of this process. */
import t from 'tap';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { PassThrough, Readable, Writable } from 'node:stream';
import { Worker } from 'node:worker_threads';
import type { CommandEnd } from '../../apiserver/streaming/command-status.ts';
import type { CommandStreams } from '../../apiserver/streaming/remote-command.ts';
import type { TerminalSize } from '../../apiserver/streaming/terminal-size.ts';
import { processWithPid } from '../../linux/process-id.ts';
import { execInNetns } from '../runtime/exec-command.ts';
import { runCommand } from './command.ts';

const NETNS = `slco-${process.pid}`;
execFileSync('ip', ['netns', 'add', NETNS]);
t.teardown(() => execFileSync('ip', ['netns', 'del', NETNS]));

class Heard extends Writable {
  text = '';
  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.text += bytes.toString();
    done();
  }
}

interface Session {
  readonly end: Promise<CommandEnd>;
  readonly stdout: Heard;
  readonly stderr: Heard;
  leave: () => void;
  resize: (size: TerminalSize) => void;
}

function run(
  argv: string[],
  { stdin, isTty = false, size }: { stdin?: Readable; isTty?: boolean; size?: TerminalSize } = {},
): Session {
  const gone = new AbortController();
  const stdout = new Heard();
  const stderr = new Heard();
  let resize: (size: TerminalSize) => void = () => {};
  const streams: CommandStreams = {
    stdin,
    stdout,
    stderr: isTty ? undefined : stderr,
    gone: gone.signal,
    onResize: (listener) => {
      resize = listener;
      if (size !== undefined) listener(size);
    },
  };
  const command = { argv: execInNetns(NETNS, argv, { isTty }), env: { PATH: '/usr/bin:/bin', HOSTNAME: 'in-pod' } };
  return {
    end: runCommand(command, streams),
    stdout,
    stderr,
    leave: () => gone.abort(),
    resize: (given) => resize(given),
  };
}

const shell = (script: string, options?: Parameters<typeof run>[1]) => run(['sh', '-c', script], options);

t.test('streams, exit code, network namespace and host name are those of the command', async (t) => {
  const { end, stdout, stderr } = shell('cat; echo to stderr > /dev/stderr; hostname; ls /sys/class/net; exit 28', {
    stdin: Readable.from([Buffer.from('from '), Buffer.from('stdin\n')]),
  });
  t.strictSame(await end, { exitCode: 28 });
  t.equal(stdout.text, 'from stdin\nin-pod\nlo\n');
  t.equal(stderr.text, 'to stderr\n');
});

t.test('a signal is 128 and its number', async (t) => {
  t.strictSame(await shell('kill -9 $$').end, { exitCode: 137 });
  t.strictSame(await shell('kill -TERM $$').end, { exitCode: 143 });
});

t.test('what cannot be run is told in the words of runtimes', async (t) => {
  t.strictSame(await run(['no-such-program']).end, {
    error: 'error executing command in container: exec: "no-such-program": executable file not found in $PATH',
  });
  t.match(await run(['/etc/passwd']).end, { error: /exec: "\/etc\/passwd": permission denied/i });
  await t.rejects(run(['a\0b']).end, { code: 'ERR_INVALID_ARG_VALUE' });
});

t.test('64 MiB through a command stay as they are, with back-pressure', async (t) => {
  const sum = createHash('md5');
  let left = 1024;
  const stdin = new Readable({
    read() {
      const bytes = left-- > 0 ? Buffer.alloc(65536, left) : null;
      if (bytes !== null) sum.update(bytes);
      this.push(bytes);
    },
  });
  const received = createHash('md5');
  const stdout = new PassThrough();
  const copied = (async () => {
    for await (const bytes of stdout) received.update(bytes as Buffer);
  })();
  const end = await runCommand(
    { argv: execInNetns(NETNS, ['cat'], { isTty: false }), env: { PATH: '/usr/bin' } },
    { stdin, stdout, stderr: undefined, gone: new AbortController().signal, onResize: () => {} },
  );
  stdout.end();
  await copied;
  t.strictSame(end, { exitCode: 0 });
  t.equal(received.digest('hex'), sum.digest('hex'));
});

t.test('a client that reads nothing holds the command back, not memory', async (t) => {
  const stuck = new Writable({ highWaterMark: 1024, write: () => {} });
  const gone = new AbortController();
  const end = runCommand(
    { argv: execInNetns(NETNS, ['head', '-c', '100000000', '/dev/zero'], { isTty: false }), env: { PATH: '/usr/bin' } },
    { stdin: undefined, stdout: stuck, stderr: undefined, gone: gone.signal, onResize: () => {} },
  );
  while (stuck.writableLength === 0) await new Promise(setImmediate);
  for (let turn = 0; turn < 300; turn++) await new Promise(setImmediate);
  t.ok(stuck.writableLength < 1024 * 1024, `${stuck.writableLength} bytes wait`);
  gone.abort();
  t.notSame(await end, { exitCode: 0 });
});

t.test('what a command leaves running keeps no session; its input after that is thrown away', async (t) => {
  const stdin = new PassThrough();
  const { end, stdout } = shell('exec 0<&-; sleep 1000 & echo $!', { stdin });
  t.strictSame(await end, { exitCode: 0 });
  process.kill(Number(stdout.text), 'SIGKILL');
  for (let i = 0; i < 64; i++) stdin.write(Buffer.alloc(65536));
  stdin.end();
  await once(stdin, 'end');
});

t.test('a client that goes ends the command and its children', async (t) => {
  for (const isTty of [false, true]) {
    const { end, stdout, leave } = shell('sleep 1000 & echo $! $$; wait', { isTty });
    while (!stdout.text.includes('\n')) await new Promise(setImmediate);
    const pids = stdout.text.trim().split(' ').map(Number);
    t.ok(pids.every((pid) => processWithPid(pid) !== undefined));
    leave();
    await end;
    while (pids.some((pid) => processWithPid(pid) !== undefined)) await new Promise(setImmediate);
    t.pass(isTty ? 'with a terminal' : 'without one');
  }
});

t.test('a thread that dies takes its commands with it', async (t) => {
  const code = `
    const { parentPort, workerData: { module, argv } } = require('node:worker_threads');
    const { Writable } = require('node:stream');
    const stdout = new Writable({ write: (bytes, _, done) => (parentPort.postMessage(String(bytes)), done()) });
    const streams = { stdin: undefined, stdout, stderr: undefined, gone: new AbortController().signal, onResize: () => {} };
    import(module).then(({ runCommand }) => runCommand({ argv, env: { PATH: '/usr/bin:/bin' } }, streams));`;
  const module = import.meta.url.replace('.test.', '.');
  const argv = execInNetns(NETNS, ['sh', '-c', 'sleep 1000 & echo $! $$; wait'], { isTty: false });
  const worker = new Worker(code, { eval: true, workerData: { module, argv } });
  const [text] = (await once(worker, 'message')) as [string];
  const pids = text.trim().split(' ').map(Number);
  t.ok(pids.every((pid) => processWithPid(pid) !== undefined));
  await worker.terminate();
  while (pids.some((pid) => processWithPid(pid) !== undefined)) await new Promise(setImmediate);
});

t.test('a terminal has the size of the client from the beginning, and changes with it', async (t) => {
  const stdin = new PassThrough();
  const { end, stdout, resize } = shell(
    'stty size; tty; trap "stty size; exit 3" WINCH; echo ready; while :; do sleep 0.05; done',
    {
      stdin,
      isTty: true,
      size: { columns: 100, rows: 30 },
    },
  );
  while (!stdout.text.includes('ready')) await new Promise(setImmediate);
  resize({ columns: 132, rows: 43 });
  t.strictSame(await end, { exitCode: 3 });
  const lines = stdout.text.split('\r\n');
  t.match(lines, ['30 100', /^\/dev\/pts\/\d+$/, 'ready', '43 132']);
});

t.test('a terminal takes more input than it holds, while its output waits to be read', async (t) => {
  const line = `${'x'.repeat(99)}\n`;
  const stdin = Readable.from([Buffer.from(line.repeat(3000))]);
  const { end, stdout } = shell('stty -echo; head -c 300000', { stdin, isTty: true });
  t.strictSame(await end, { exitCode: 0 });
  t.ok(stdout.text.split('x'.repeat(99)).length >= 3001, `${stdout.text.length} bytes came back`);
});

t.test('commands that end at once are seen to end', async (t) => {
  for (let i = 0; i < 25; i++) {
    const ends = Array.from(
      { length: 4 },
      () => shell('exit 7', { stdin: Readable.from([Buffer.from('x\n')]), isTty: true }).end,
    );
    for (const end of await Promise.all(ends)) t.strictSame(end, { exitCode: 7 });
  }
});

t.test('a terminal: an interrupt, and the end of input', async (t) => {
  const stdin = new PassThrough();
  const { end, stdout } = shell('trap "echo interrupted; exit 9" INT; echo ready; while :; do sleep 0.05; done', {
    stdin,
    isTty: true,
  });
  while (!stdout.text.includes('ready')) await new Promise(setImmediate);
  stdin.write('\x03');
  t.strictSame(await end, { exitCode: 9 });
  t.match(stdout.text, 'interrupted');
  const reader = run(['cat'], { stdin: Readable.from([Buffer.from('line\n')]), isTty: true });
  t.strictSame(await reader.end, { exitCode: 0 });
});
