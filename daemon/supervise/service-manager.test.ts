/** What systemd is told, and what it hands over: datagrams to a socket of the test's own, read by python. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { closeFd, openPacket, unixListen } from '../../dataplane/native/index.ts';
import { PATIENCE_MS } from '../../test/command.ts';
import { KeptDescriptors } from './kept-descriptors.ts';
import { type HandedDescriptor, ServiceManager } from './service-manager.ts';

/** Writes each datagram as a line of JSON, with how many descriptors it brought. Its argument may be an abstract name. */
const READER = `
import json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1].replace('@', '\\0', 1))
print('listening', flush=True)
while True:
    text, fds, flags, peer = socket.recv_fds(s, 4096, 64)
    print(json.dumps([text.decode(), len(fds)]), flush=True)
`;

interface Reader {
  readonly socket: string;
  /** What came so far, a list of lines each; a descriptor stands as +1 behind. */
  readonly came: () => string[][];
  until(what: (came: string[][]) => boolean): Promise<void>;
}

async function reader(t: Test, isAbstract = false): Promise<Reader> {
  const dir = mkdtempSync('/tmp/sldae-');
  const socket = isAbstract ? `@sldae-${process.pid}` : join(dir, 'notify');
  const child: ChildProcess = spawn('python3', ['-c', READER, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => {
    child.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  });
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (part: string) => (text += part));
  const came = (): string[][] =>
    text
      .split('\n')
      .slice(1, -1)
      .map((line) => {
        const [lines, fds] = JSON.parse(line) as [string, number];
        return [...lines.trim().split('\n'), ...(fds > 0 ? [`+${fds}`] : [])];
      });
  const until = async (what: (came: string[][]) => boolean): Promise<void> => {
    for (const endMs = performance.now() + PATIENCE_MS; !what(came()); ) {
      if (performance.now() > endMs) throw new Error(`waited for datagrams; came ${text}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  await until(() => text.startsWith('listening\n'));
  return { socket, came, until };
}

t.test(
  'it is told that we serve, how we are, and that we are well; and the watchdog nothing while we are not',
  async (t) => {
    const { socket, came, until } = await reader(t);
    const env: NodeJS.ProcessEnv = {
      NOTIFY_SOCKET: socket,
      WATCHDOG_USEC: '60000',
      WATCHDOG_PID: String(process.pid),
      HOME: '/',
    };
    const manager = new ServiceManager(env);
    t.strictSame(env, { HOME: '/' }, 'no child has these words');
    let state = { isWell: true, status: 'one\nline' };
    manager.ready(() => state);
    await until((all) => all.length >= 4);
    t.strictSame(came().slice(0, 4), [['READY=1'], ['WATCHDOG=1', 'STATUS=one line'], ['WATCHDOG=1'], ['WATCHDOG=1']]);
    state = { isWell: false, status: 'ill' };
    await until((all) => all.some((lines) => lines.includes('STATUS=ill')));
    const count = came().length;
    manager.reload(1234.5, () => {});
    await until((all) => all.length >= count + 2);
    t.strictSame(
      came().slice(count),
      [['RELOADING=1', 'MONOTONIC_USEC=1234500'], ['READY=1']],
      'no word to the watchdog',
    );
    t.throws(
      () =>
        manager.reload(1, () => {
          throw new Error('x');
        }),
      /x/,
    );
    manager.stopping();
    await until((all) => all.at(-1)?.[0] === 'STOPPING=1');
    t.strictSame(came().at(-2), ['READY=1'], 'a configuration that cannot be read is no end of the reload');
  },
);

t.test("an abstract socket, and a watchdog that is somebody else's", async (t) => {
  const { socket, came, until } = await reader(t, true);
  const manager = new ServiceManager({ NOTIFY_SOCKET: socket, WATCHDOG_USEC: '1000', WATCHDOG_PID: '1' });
  manager.ready(() => ({ isWell: true, status: '' }));
  manager.stopping();
  await until((all) => all.length >= 2);
  t.strictSame(came(), [['READY=1'], ['STOPPING=1']]);
});

t.test('without systemd, or with one that has gone, nothing happens', async (t) => {
  const alone = new ServiceManager({});
  t.notOk(alone.isThere);
  t.notOk(alone.keep('x', 0));
  alone.ready(() => {
    throw new Error('nobody asks');
  });
  alone.stopping();
  const gone = new ServiceManager({ NOTIFY_SOCKET: '/nonexistent/notify' });
  t.notOk(gone.keep('x', 0));
  gone.ready(() => ({ isWell: true, status: '' }));
  gone.stopping();
});

t.test('descriptors are handed over to the process that is meant, by name', async (t) => {
  const words = { LISTEN_FDS: '2', LISTEN_FDNAMES: 'tap-1:socket-2-65536', LISTEN_PID: String(process.pid) };
  t.strictSame(new ServiceManager({ ...words }).handed, [
    { name: 'tap-1', fd: 3 },
    { name: 'socket-2-65536', fd: 4 },
  ]);
  for (const wrong of [{ LISTEN_PID: '1' }, { LISTEN_FDS: '-1' }, { LISTEN_FDS: 'x' }, { LISTEN_FDS: '' }])
    t.strictSame(new ServiceManager({ ...words, ...wrong }).handed, [], JSON.stringify(wrong));
});

/** A manager that notes what it is told, and takes only so many words. */
function notes(handed: readonly HandedDescriptor[] = [], room = Number.POSITIVE_INFINITY) {
  const said: string[] = [];
  const say = (text: string): boolean => said.length < manager.room && said.push(text) > 0;
  const manager = {
    handed,
    isThere: true,
    room,
    said,
    keep: (name: string, fd: number) => say(`keep ${name} ${fd}`),
    letGo: (name: string) => say(`let go ${name}`),
  };
  return manager;
}

t.test('what is held is kept, what is given up or replaced is let go, what was not taken is said again', async (t) => {
  const manager = notes();
  const kept = new KeptDescriptors(manager);
  const [tap, socket] = [{ fd: 7 }, { fd: 8, ringBytes: 65536 }];
  kept.hold([[1, tap]], [[2, socket]]);
  kept.hold([[1, tap]], [[2, socket]]);
  t.strictSame(manager.said.splice(0), ['keep tap-1 7', 'keep socket-2-65536 8'], 'once');
  kept.hold([[1, { fd: 7 }]], []);
  t.strictSame(
    manager.said.splice(0),
    ['let go tap-1', 'let go socket-2-65536', 'keep tap-1 7'],
    'another descriptor of the same number',
  );
  manager.room = 1;
  kept.hold(
    [
      [3, tap],
      [4, tap],
    ],
    [],
  );
  t.strictSame(manager.said.splice(0), ['let go tap-1']);
  manager.room = 9;
  kept.sync();
  kept.sync();
  t.strictSame(manager.said, ['keep tap-3 7', 'keep tap-4 7']);
});

t.test(
  "what an earlier process had kept is taken if it is of use, else closed; and kept anew under this process's name",
  async (t) => {
    const dir = mkdtempSync('/tmp/sldae-');
    t.teardown(() => rmSync(dir, { recursive: true, force: true }));
    const packet = openPacket('lo', {});
    const strangers = [1, 2, 3].map((n) => unixListen(join(dir, String(n))));
    const names = ['tap-5', 'socket-6-65536', '../etc'];
    const handed = [{ name: 'socket-4-65536', fd: packet }, ...names.map((name, at) => ({ name, fd: strangers[at] }))];
    const manager = notes(handed);
    const kept = new KeptDescriptors(manager);
    const found = kept.take();
    t.strictSame([...found.taps], []);
    t.strictSame([...found.sockets], [[4, { fd: packet, ringBytes: 65536 }]]);
    for (const fd of strangers) t.throws(() => closeFd(fd), { code: 'EBADF' }, 'closed');
    kept.hold([], found.sockets);
    t.strictSame(manager.said.slice(0, 4).toSorted(), handed.map(({ name }) => `let go ${name}`).toSorted());
    t.strictSame(manager.said.slice(4), [`keep socket-4-65536 ${packet}`]);
    closeFd(packet);
  },
);
