/**
 * Node's HTTP/2 (nghttp2) at both ends of a TCP connection that passes the engine, in simulated time: requests side by side, some of
 * them denied, given up, with content and trailers; windows and tables of all sizes; links that lose, repeat, reorder and corrupt; and
 * the process dying in between. Neither end may find fault with what it reads, and the server sees the allowed requests, each
 * once and whole, and no other. SEED=n repeats a run, ROUNDS=n lengthens it.
 */
import { createHash } from 'node:crypto';
import * as http2 from 'node:http2';
import { Duplex } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import t from 'tap';
import type { Peer } from '../../test/stream/tcp-peer.ts';
import { okOnly, Rig } from '../../test/stream/tcp-rig.ts';
import { type Weather, World } from '../../test/stream/tcp-world.ts';
import type { ParserState } from '../parser.ts';

const SEED = Number(process.env['SEED'] ?? 20240301);
const ROUNDS = Number(process.env['ROUNDS'] ?? 15);
t.setTimeout(600_000);
t.comment(`seed ${SEED}, ${ROUNDS} rounds`);

const OUTAGE_MS = 150;
const LIMIT_MS = 120_000;
const KEEP_ALIVE_MS = 10_000;

interface Seen {
  readonly status: number;
  readonly body: string;
  readonly grpcStatus: string;
  readonly code: number;
}

interface Asked {
  readonly path: string;
  readonly isAllowed: boolean;
  readonly isGivenUp: boolean;
  readonly body: Buffer;
  seen: Seen | undefined;
}

/** A socket for one end. */
function socketOf(peer: Peer): Duplex {
  const socket = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      peer.write(chunk);
      done();
    },
    final(done) {
      peer.end();
      done();
    },
  });
  socket.on('error', () => {});
  peer.onData = (data) => socket.push(Buffer.from(data));
  return socket;
}

/** What of a connection outlives the process, as the pinned map keeps it. */
function keptState(): ParserState {
  const kept = new Map<number, Int32Array>();
  return {
    save: (slot, _generation, state, count) => kept.set(slot, state.slice(0, count)).has(slot),
    load: (slot, _generation, state) => {
      const found = kept.get(slot);
      if (found === undefined) return -1;
      state.set(found);
      return found.length;
    },
    forget: (slot) => kept.delete(slot),
  };
}

const digest = (body: Buffer) => `${body.length} ${createHash('sha256').update(body).digest('hex').slice(0, 16)}`;

class Course {
  readonly world: World;
  readonly faults: string[] = [];
  readonly asked: Asked[] = [];
  readonly served: string[] = [];
  readonly #draw: (below: number) => number;
  readonly #server: http2.Http2Server;
  readonly #client: http2.ClientHttp2Session;
  readonly #sockets: readonly [Duplex, Duplex];
  readonly #sessions: http2.ServerHttp2Session[] = [];
  isOver = false;
  /** SETTINGS that may still be sent. */
  #settled = 5;

  constructor(seed: number, weather: Weather) {
    const rig = new Rig(okOnly('GET|POST'), { parserState: keptState() });
    this.world = new World(seed, rig, weather, {
      timestamps: seed % 2 === 0,
      sack: true,
      gso: seed % 5 === 0,
    });
    const { draw } = this.world;
    this.#draw = draw;
    this.#server = http2.createServer({ settings: this.#settings(true) });
    this.#server.on('session', (session: http2.ServerHttp2Session) => {
      this.#sessions.push(session);
      session.on('error', (error: Error) => this.#fault('server', error));
      session.on('goaway', (code: number) => code !== 0 && this.faults.push(`the server got GOAWAY ${code}`));
    });
    this.#server.on('sessionError', (error: Error) => this.#fault('server', error));
    this.#server.on('stream', (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
      this.#serve(stream, headers);
    });
    this.world.client.connect();
    this.#sockets = [socketOf(this.world.client), socketOf(this.world.server)];
    this.#server.emit('connection', this.#sockets[1]);
    this.#client = http2.connect('http://a', {
      createConnection: () => this.#sockets[0],
      settings: this.#settings(false),
    });
    this.#client.on('error', (error: Error) => this.#fault('client', error));
    this.#client.on('goaway', (code: number) => this.faults.push(`the client got GOAWAY ${code}`));
    if (draw(3) === 0) this.#client.once('connect', () => this.#client.setLocalWindowSize(70_000 + draw(200_000)));
  }

  #settings(isServer: boolean): http2.Settings {
    const draw = this.#draw;
    const headerTableSize = [4096, 0, 100, 65_536][draw(4)];
    const initialWindowSize = [65_535, 65_535, 2000, 300_000][draw(4)];
    const maxFrameSize = [16_384, 16_384, 50_000][draw(3)];
    return { headerTableSize, initialWindowSize, maxFrameSize, ...(isServer ? {} : { enablePush: draw(2) === 0 }) };
  }

  #fault(who: string, error: Error): void {
    if (!this.isOver && !this.isReset) this.faults.push(`${who}: ${error.message}`);
  }

  get isReset(): boolean {
    return this.world.client.isReset || this.world.server.isReset;
  }

  #serve(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders): void {
    const draw = this.#draw;
    const chunks: Buffer[] = [];
    const path = String(headers[':path']);
    if (!path.startsWith('/ok')) this.faults.push(`the server saw ${path}`);
    stream.on('error', () => {});
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      this.served.push(`${path} ${digest(Buffer.concat(chunks))}`);
      if (stream.destroyed) return;
      if (draw(4) === 0) stream.additionalHeaders({ ':status': 103 });
      stream.respond({ ':status': 200, [`x-${draw(30)}`]: 'v'.repeat(draw(60)) }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-path': path }));
      const size = Number(/size=(\d+)/.exec(path)?.[1] ?? 0);
      stream.end(Buffer.alloc(size, path));
    });
  }

  /** One request more. */
  ask(): void {
    const draw = this.#draw;
    const isAllowed = draw(3) > 0;
    const number = this.asked.length;
    const size = draw(3) === 0 ? draw(60_000) : draw(500);
    const path = `/${isAllowed ? 'ok' : 'no'}${number}?size=${size}`;
    const hasBody = draw(2) === 0;
    const body = hasBody ? Buffer.alloc(draw(4) === 0 ? draw(80_000) : draw(2000), `b${number}`) : Buffer.alloc(0);
    const headers: http2.OutgoingHttpHeaders = { ':path': path, ':method': hasBody ? 'POST' : 'GET' };
    for (let n = draw(4); n > 0; n--) headers[`x-${draw(12)}`] = 'w'.repeat(draw(40));
    // A block is held until it is whole, and so must fit into the server's TCP window.
    if (draw(12) === 0) headers['x-large'] = 'w'.repeat(draw(19_000));
    if (hasBody && draw(2) === 0) headers['content-length'] = String(body.length);
    if (draw(5) === 0) headers['content-type'] = 'application/grpc';
    if (draw(4) === 0) headers['cookie'] = ['a=1', 'b=2'];
    const one: Asked = { path, isAllowed, isGivenUp: draw(15) === 0, body, seen: undefined };
    this.asked.push(one);
    const stream = this.#client.request(headers, { endStream: !hasBody, waitForTrailers: hasBody && draw(3) === 0 });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': 'done' }));
    this.#listen(stream, one);
    for (let at = 0; at < body.length; ) {
      const count = 1 + draw(20_000);
      stream.write(body.subarray(at, at + count));
      at += count;
    }
    if (hasBody) stream.end();
    if (one.isGivenUp) stream.close(http2.constants.NGHTTP2_CANCEL);
  }

  #listen(stream: http2.ClientHttp2Stream, one: Asked): void {
    const chunks: Buffer[] = [];
    let status = 0;
    let grpcStatus = '';
    stream.on('response', (headers) => {
      status = headers[':status'] ?? 0;
      grpcStatus = String(headers['grpc-status'] ?? '');
    });
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', (error: Error) => {
      if (!one.isGivenUp) this.#fault(one.path, error);
    });
    const isSeen = () => {
      one.seen = { status, grpcStatus, body: Buffer.concat(chunks).toString('latin1'), code: stream.rstCode };
    };
    // Node never closes a stream that was answered while it had more to send.
    stream.on('end', isSeen);
    stream.on('close', isSeen);
  }

  /** Something beside requests: PING, SETTINGS. */
  disturb(): void {
    const draw = this.#draw;
    if (this.#client.destroyed) return;
    if (draw(3) === 0) this.#client.ping(() => {});
    const [session] = this.#sessions;
    if (this.#settled === 0) return; // Node has no more than ten that wait
    if (draw(6) === 0 && this.#settled-- > 0) this.#client.settings(this.#settings(false));
    if (draw(8) === 0 && session !== undefined && !session.destroyed && this.#settled-- > 0) {
      session.settings(this.#settings(true));
    }
  }

  get isAnswered(): boolean {
    return this.asked.every(({ seen }) => seen !== undefined);
  }

  end(): void {
    this.isOver = true;
    this.#client.destroy();
    for (const session of this.#sessions) session.destroy();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** @param dies the process does, when so many requests were asked; 0 = never */
async function run(seed: number, weather: Weather, requests: number, dies: number): Promise<Course> {
  const course = new Course(seed, weather);
  const { world } = course;
  const { draw } = world;
  let left = requests;
  let isDead = dies === 0;
  const lastMs = world.nowMs + LIMIT_MS;
  world.onTick = () => {
    if (world.nowMs === world.deadUntilMs) world.rig.restart();
    if (world.nowMs % KEEP_ALIVE_MS !== 0) return;
    world.client.keepAlive(); // these ends have no timer for a window that was opened, and the news of it lost
    world.server.keepAlive();
  };
  for (let turn = 0; world.nowMs < lastMs && !course.isReset; turn++) {
    if (left > 0 && turn > 2 && draw(3) > 0) {
      for (let n = Math.min(left, 1 + draw(6)); n > 0; n--, left--) course.ask();
    }
    if (draw(5) === 0) course.disturb();
    if (!isDead && requests - left >= dies) {
      isDead = true;
      world.deadUntilMs = world.nowMs + OUTAGE_MS;
    }
    // What Node's sessions do takes turns of its loop, and simulated time must not run ahead of them.
    for (let i = 0; i < 3; i++) await nextTurn();
    const stop = world.nowMs + 1 + draw(4);
    world.run(() => world.nowMs >= stop || course.isReset);
    if (left === 0 && course.isAnswered) break;
  }
  for (let i = 0; i < 5; i++) await nextTurn();
  course.end();
  return course;
}

/** What is wrong with how it went. */
function faultsOf(course: Course): string[] {
  const faults = [...course.faults];
  const allowed = new Map(course.asked.filter((one) => one.isAllowed).map((one) => [one.path, one]));
  const served = new Set<string>();
  for (const one of course.served) {
    const [path] = one.split(' ');
    if (served.has(path)) faults.push(`${path} was served twice`);
    served.add(path);
    const asked = allowed.get(path);
    if (asked === undefined) faults.push(`${path} should not have been served`);
    else if (!asked.isGivenUp && one !== `${path} ${digest(asked.body)}`) faults.push(`the server read ${one}`);
  }
  if (course.isReset) return faults;
  for (const one of course.asked) {
    if (one.isGivenUp) continue;
    if (one.seen === undefined) faults.push(`${one.path} was never answered`);
    else if (one.isAllowed && !served.has(one.path)) faults.push(`${one.path} was not served`);
    else faults.push(...faultsOfAnswer(one, one.seen));
  }
  return faults;
}

function faultsOfAnswer({ path, isAllowed }: Asked, { status, body, grpcStatus, code }: Seen): string[] {
  const size = Number(/size=(\d+)/.exec(path)?.[1]);
  const isOk = isAllowed
    ? status === 200 && body.length === size
    : (status === 403 && (body === 'Access denied\r\n' || body === '')) || (status === 200 && grpcStatus === '7');
  return isOk ? [] : [`${path}: ${status} ${body.length} bytes, grpc ${grpcStatus}, code ${code}`];
}

const CALM: Weather = { loss: 0, repeat: 0, corrupt: 0, maxDelayMs: 1 };
const STORM: Weather = { loss: 2, repeat: 2, corrupt: 1, maxDelayMs: 12 };

for (const [name, weather] of Object.entries({ 'in calm weather': CALM, 'in a storm': STORM })) {
  t.test(`both ends see a legal connection, and the server the allowed requests, ${name}`, async (t) => {
    let served = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const course = await run(SEED + round, weather, 40, 0);
      const faults = faultsOf(course);
      if (course.isReset) faults.push('it was reset');
      if (faults.length > 0) t.fail(`round ${round}: ${faults.slice(0, 5).join('; ')}`);
      served += course.served.length;
    }
    t.ok(served > ROUNDS * 15, `${served} requests were served`);
  });
}

t.test(
  'after the death of the process a connection goes on where it was, or is reset, and nothing is read twice',
  async (t) => {
    let resumed = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const course = await run(SEED + 1000 + round, round % 2 === 0 ? CALM : STORM, 30, 5 + (round % 20));
      const faults = faultsOf(course);
      if (faults.length > 0) t.fail(`round ${round}: ${faults.slice(0, 5).join('; ')}`);
      if (!course.isReset) resumed++;
    }
    t.ok(resumed > ROUNDS / 10, `${resumed} of ${ROUNDS} went on`);
  },
);
