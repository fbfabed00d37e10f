import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { monotonicMs } from '../../dataplane/native/index.ts';
import { missingCapabilities } from '../../linux/capabilities.ts';
import type { ControlLink } from './control-link.ts';
import { AGENT_FILES, LockedError, runningAgent, takeLock } from '../../linux/lock.ts';
import { startTimeOf } from '../../linux/process-id.ts';
import { Supervisor, type SupervisorOptions } from './supervisor.ts';

/**
 * A child in the place of the dataplane: accepts on descriptor 3, moves a word in a file, gives back what descriptors it
 * was given, ends on STOP. Files named in its run directory change its manners: `mute` stops the word, `refuse` makes it exit.
 */
const FAKE = `
import { existsSync, writeFileSync } from 'node:fs';
import { unixAccept, recvFds, sendFds } from '${join(import.meta.dirname, '../../dataplane/native/index.js')}';
import { CONTROL, decodeControl, encodeControl } from '${join(import.meta.dirname, 'control.js')}';
const dir = process.argv[2];
if (existsSync(dir + '/refuse')) { console.log('refused to start'); process.exit(7); }
const links = [];
const held = new Map();
let word = 0;
setInterval(() => {
  const fd = unixAccept(3);
  if (fd >= 0) links.push(fd);
  for (const link of links.slice()) {
    for (let m = recvFds(link); m !== null; m = recvFds(link)) {
      if (m.isClosed) { links.splice(links.indexOf(link), 1); break; }
      const { kind, port } = decodeControl(m.payload);
      if (kind === CONTROL.PORT_FD) held.set(port, m.fds[0]);
      if (kind === CONTROL.STOP) process.exit(0);
      if (kind === CONTROL.WAKE) writeFileSync(dir + '/woken', '');
      if (kind === CONTROL.RETURN_FDS) {
        for (const [index, held_] of held) sendFds(link, [held_], encodeControl(CONTROL.PORT_FD, index));
        sendFds(link, [], encodeControl(CONTROL.END, 0, held.size));
      }
    }
  }
  if (!existsSync(dir + '/mute')) writeFileSync(dir + '/word', String(++word));
}, 10);
`;

interface Rig {
  dir: string;
  events: { event: string; details: Record<string, unknown> }[];
  links: { link: ControlLink; isAdopted: boolean }[];
  make(more?: Partial<SupervisorOptions>): Supervisor;
  until(what: string, test: () => boolean): Promise<void>;
}

async function rig(t: Tap): Promise<Rig> {
  const dir = mkdtempSync('/tmp/sldae-');
  const fake = join(dir, 'fake.mjs');
  writeFileSync(fake, FAKE);
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const events: Rig['events'] = [];
  const links: Rig['links'] = [];
  const heartbeat = () => (existsSync(join(dir, 'word')) ? Number(readFileSync(join(dir, 'word'), 'utf8')) : 0);
  const make = (more: Partial<SupervisorOptions> = {}) =>
    new Supervisor({
      runDir: dir,
      command: [process.execPath, fake, dir],
      heartbeat,
      nowMs: monotonicMs,
      onLink: (link, isAdopted) => void links.push({ link, isAdopted }),
      onEvent: (event, details) => void events.push({ event, details }),
      ...more,
    });
  const until = async (what: string, test: () => boolean) => {
    for (let tries = 0; !test(); tries++) {
      if (tries > 10_000) throw new Error(`waited 100 s for ${what}; events ${JSON.stringify(events)}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  return { dir, events, links, make, until };
}

type Tap = typeof t;

/** Names of agents are held in the network namespace, which other runs of this test may share. */
const LOCK = `sldae${process.pid}`;

t.test('start() brings a dataplane up, stop() ends it by word and removes the socket', async (t) => {
  const { make, until, dir } = await rig(t as Tap);
  const supervisor = make();
  await supervisor.start();
  await until('running', () => supervisor.status().state === 'running');
  const { pid } = supervisor.status();
  supervisor.wake();
  await until('woken', () => existsSync(join(dir, 'woken')));
  await supervisor.stop();
  t.equal(startTimeOf(pid), '');
  t.notOk(existsSync(supervisor.socketPath));
  t.match(supervisor.status(), { state: 'stopped', pid: 0 });
});

t.test('a dataplane that cannot be noted runs all the same, and is noted when it can be', async (t) => {
  const { make, until, dir, events } = await rig(t as Tap);
  const note = join(dir, 'state/dataplane.json');
  writeFileSync(join(dir, 'state'), 'in the way');
  const supervisor = make();
  await supervisor.start();
  await until('running', () => supervisor.status().state === 'running');
  const { pid } = supervisor.status();
  t.match(events[0], { event: 'dataplane not noted', details: { pid, reason: /dataplane\.json/ } });
  rmSync(join(dir, 'state'));
  await until('the note', () => existsSync(note));
  t.match(readFileSync(note, 'utf8'), `"pid":${pid},`);
  t.equal(supervisor.status().restarts, 0);
  t.equal(events.filter(({ event }) => event === 'dataplane not noted').length, 1, 'told once');
  await supervisor.stop();
});

t.test('a dataplane that is killed is replaced at once and linked again', async (t) => {
  const { make, until, links } = await rig(t as Tap);
  const supervisor = make();
  await supervisor.start();
  await until('running', () => supervisor.status().state === 'running');
  const first = supervisor.status().pid;
  process.kill(first, 'SIGKILL');
  await until('another', () => supervisor.status().state === 'running' && supervisor.status().pid !== first);
  t.match(supervisor.status(), { restarts: 1, lastExit: 'SIGKILL' });
  t.equal(links.length, 2);
  await supervisor.stop();
});

t.test('a dataplane that refuses to start is tried again ever more slowly, with what it said', async (t) => {
  const { make, until, events, dir } = await rig(t as Tap);
  writeFileSync(join(dir, 'refuse'), '');
  const supervisor = make();
  await supervisor.start();
  const deaths = () => events.filter(({ event }) => event === 'dataplane died');
  await until('four deaths', () => deaths().length >= 4);
  t.strictSame(
    deaths()
      .slice(0, 4)
      .map(({ details }) => details.backoffMs),
    [0, 100, 200, 400],
  );
  t.match(deaths()[0]?.details, { how: 'exit code 7', said: /refused to start/ });
  await supervisor.stop();
});

t.test('a dataplane whose word stands still is killed and replaced', async (t) => {
  const { make, until, dir, events } = await rig(t as Tap);
  let now = 0;
  let step = 0; // time stands while the child starts, however long that takes
  const supervisor = make({ nowMs: () => (now += step), tickMs: 10 });
  await supervisor.start();
  await until('running', () => supervisor.status().state === 'running');
  const first = supervisor.status().pid;
  writeFileSync(join(dir, 'mute'), '');
  t.equal(supervisor.problem(), '');
  step = 100; // each look at the clock is 100 ms later
  await until('silence told', () => supervisor.problem().includes('no sign of life for 2 s'));
  await until('hang noticed', () => events.some(({ event }) => event === 'dataplane hangs, killing it'));
  step = 0;
  rmSync(join(dir, 'mute'));
  await until('another', () => supervisor.status().state === 'running' && supervisor.status().pid !== first);
  t.equal(supervisor.problem(), '');
  step = 100;
  await supervisor.stop();
});

t.test('a process that stands by takes the place of one that was killed, and ends with its agent', async (t) => {
  const { make, until, dir, links } = await rig(t as Tap);
  const waiting = join(dir, 'waiting.mjs');
  writeFileSync(
    waiting,
    `import { writeFileSync } from 'node:fs';
    process.stdin.once('data', () => import('./fake.mjs'));
    writeFileSync(process.argv[2] + '/standby', String(process.pid));`,
  );
  let step = 0;
  let now = 0;
  const nowMs = () => (now += step);
  const supervisor = make({ standbyCommand: [process.execPath, waiting, dir], nowMs, tickMs: 10 });
  await supervisor.start();
  await until('running', () => supervisor.status().state === 'running');
  const standby = () => (existsSync(join(dir, 'standby')) ? Number(readFileSync(join(dir, 'standby'), 'utf8')) : 0);
  step = 20;
  await until('a standby', () => standby() !== 0);
  step = 0;
  const [first, second] = [supervisor.status().pid, standby()];
  process.kill(first, 'SIGKILL');
  await until('another', () => supervisor.status().state === 'running' && supervisor.status().pid !== first);
  t.equal(supervisor.status().pid, second, 'the one that stood by');
  t.equal(links.length, 2, 'it answers where clients look');
  step = 20;
  await until('one more standby', () => standby() !== second);
  const third = standby();
  await supervisor.stop();
  await until('its end', () => startTimeOf(third) === '');
});

t.test('a process that stood by and does not come is replaced as soon as one that hangs', async (t) => {
  const { make, until, events } = await rig(t as Tap);
  let step = 0;
  let now = 0;
  const standbyCommand = [process.execPath, '-e', 'setInterval(() => {}, 1e6)'];
  const supervisor = make({ standbyCommand, nowMs: () => (now += step), tickMs: 10 });
  await supervisor.start();
  await until('running', () => supervisor.status().state === 'running');
  const first = supervisor.status().pid;
  step = 100;
  await until('a standby', () => existsSync(`${supervisor.socketPath}.standby`));
  step = 0;
  process.kill(first, 'SIGKILL');
  await until('the standby', () => supervisor.status().state === 'starting');
  const begun = now;
  step = 100;
  await until('its end', () => events.some(({ event }) => event === 'dataplane hangs, killing it'));
  t.ok(now - begun < 10_000, `${now - begun} ms`);
  step = 0;
  await until('another', () => supervisor.status().state === 'running');
  await supervisor.stop();
});

t.test('without a run directory there is no standby, which is told, and traffic goes on', async (t) => {
  const { make, until, dir, events } = await rig(t as Tap);
  let now = 0;
  const sockets = join(dir, 'run');
  mkdirSync(sockets);
  const standbyCommand = [process.execPath, '-e', 'process.stdin.resume()'];
  const supervisor = make({ runDir: sockets, standbyCommand, nowMs: () => (now += 100), tickMs: 10 });
  await supervisor.start();
  await until('running', () => supervisor.status().state === 'running');
  const { pid } = supervisor.status();
  const socket = join(sockets, 'dataplane.sock.standby');
  await until('a standby', () => existsSync(socket));
  const descriptors = readdirSync('/proc/self/fd').length;
  const untold = () => events.filter(({ event }) => event === 'dataplane not looked after');
  rmSync(sockets, { recursive: true });
  const [standby] = readFileSync('/proc/self/task/' + String(process.pid) + '/children', 'utf8')
    .split(' ')
    .map(Number)
    .filter((child) => child !== pid);
  process.kill(standby, 'SIGKILL');
  await until('two attempts', () => untold().length >= 2);
  t.match(untold()[0].details, { reason: /ENOENT.*run\/dataplane/ });
  t.match(supervisor.status(), { pid, state: 'running', restarts: 0 });
  t.ok(readdirSync('/proc/self/fd').length <= descriptors, 'an attempt leaves nothing open');
  mkdirSync(sockets);
  await until('another standby', () => existsSync(socket));
  await supervisor.stop();
});

t.test('the next agent adopts the dataplane and gets the TAP descriptors back', async (t) => {
  const { make, until, links } = await rig(t as Tap);
  const { openSync, closeSync } = await import('node:fs');
  const one = make();
  await one.start();
  await until('running', () => one.status().state === 'running');
  const { pid } = one.status();
  const fd = openSync(import.meta.filename, 'r');
  one.givePort(5, fd);
  closeSync(fd);
  one.release();
  const two = make();
  t.ok(await two.adopt());
  await two.start();
  t.match(two.status(), { pid, isAdopted: true, restarts: 0 });
  const link = links.find(({ isAdopted }) => isAdopted)?.link as ControlLink;
  const { taps: fds } = await link.returnFds();
  t.strictSame([...fds.keys()], [5]);
  t.match(readFileSync(fds.get(5) as number, 'utf8'), /gets the TAP descriptors back/);
  closeSync(fds.get(5) as number);
  process.kill(pid, 'SIGKILL');
  await until('replaced', () => two.status().state === 'running' && two.status().pid !== pid);
  await two.stop();
});

t.test('missingCapabilities() names what is missing', async (t) => {
  t.strictSame(missingCapabilities('Name:\tnode\nCapEff:\t000001ffffffffff\n'), []);
  t.strictSame(missingCapabilities('CapEff:\t0000000000000000\n').length, 3);
  t.strictSame(missingCapabilities('CapEff:\t000001ffffffdfff\n'), ['CAP_NET_RAW']);
});

t.test('takeLock() refuses a second agent and names the first', async (t) => {
  const dir = mkdtempSync('/tmp/sldae-');
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const lock = await takeLock(dir, LOCK);
  await t.rejects(takeLock(dir, `${LOCK}b`), { code: 'ERR_LOCKED', message: new RegExp(`pid ${process.pid}.*${dir}`) });
  lock.release();
  const again = await takeLock(dir, `${LOCK}b`);
  again.release();
  t.ok(new LockedError('x') instanceof Error);
});

t.test('takeLock() takes over from a holder that died', async (t) => {
  const dir = mkdtempSync('/tmp/sldae-');
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, AGENT_FILES.identity), '1 0\n');
  (await takeLock(dir, LOCK)).release();
});

t.test('the pid file holds one number, and a pid that another process has by now is no running agent', async (t) => {
  const dir = mkdtempSync('/tmp/sldae-');
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const lock = await takeLock(dir, LOCK);
  t.equal(readFileSync(join(dir, 'sluiced.pid'), 'utf8'), `${process.pid}\n`);
  t.match(runningAgent(dir), { pid: process.pid });
  writeFileSync(join(dir, AGENT_FILES.identity), `${process.pid} 1\n`);
  t.equal(runningAgent(dir), undefined);
  lock.release();
  t.notOk(existsSync(dir), 'nothing is left of it');
});

t.test('takeLock() refuses a name that another agent of this network namespace has', async (t) => {
  const dir = mkdtempSync('/tmp/sldae-');
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const lock = await takeLock(join(dir, 'one'), LOCK);
  await t.rejects(takeLock(join(dir, 'two'), LOCK), {
    code: 'ERR_LOCKED',
    message: `another sluiced (pid ${process.pid}, run directory ${dir}/one) has the name ${LOCK} here: give this one another --name`,
  });
  t.notOk(existsSync(join(dir, 'two')), 'nothing is left of the attempt');
  lock.release();
  (await takeLock(join(dir, 'two'), LOCK)).release();
});
