/**
 * The stream editor and TcpConnections. First the invariant, against a hostile sender; then liveness, between honest endpoints in
 * bad weather; then single cases. One seed feeds every draw: SEED=n repeats a run, ROUNDS=n lengthens it.
 */
import t from 'tap';
import * as tcp from '../../wire/header/tcp.ts';
import { draws, okOnly, Rig, segment } from '../../test/stream/tcp-rig.ts';
import { World } from '../../test/stream/tcp-world.ts';

const SEED = Number(process.env['SEED'] ?? 20240301);
const ROUNDS = Number(process.env['ROUNDS'] ?? 150);
t.setTimeout(600_000);
t.comment(`seed ${SEED}, ${ROUNDS} rounds`);

const RULES = okOnly('GET|POST');

const ok = (n: number | string, extra = '') => `GET /ok${n} HTTP/1.1\r\nHost: a\r\n${extra}\r\n`;
const no = (n: number | string, extra = '') => `GET /no${n} HTTP/1.1\r\nHost: a\r\n${extra}\r\n`;

/** What a server makes of its input: the requests in it, and what is left over. By split and count, nothing clever. */
function readRequests(text: string): { requests: string[]; rest: string } {
  const requests: string[] = [];
  let rest = text;
  for (;;) {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) return { requests, rest };
    const head = rest.slice(0, end + 4);
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (rest.length < head.length + length) return { requests: [...requests, head], rest: '' };
    requests.push(head);
    rest = rest.slice(head.length + length);
  }
}

// --- the invariant

/** Receivers differ in which copy of an overlapping byte they keep. */
const POLICIES: Record<string, (have: number | undefined, come: number) => number> = {
  'first wins': (have, come) => have ?? come,
  'last wins': (_have, come) => come,
};

/** A sender that cuts, overlaps with other bytes, reorders, repeats and corrupts. */
class Attacker {
  readonly rig: Rig;
  readonly draw: (below: number) => number;
  readonly isn: number;
  readonly serverIsn: number;
  /** Every byte value that was forwarded, by position. */
  readonly forwarded = new Map<number, Set<number>>();
  readonly streams = new Map(Object.keys(POLICIES).map((name) => [name, new Map<number, number>()]));
  #rcvNxt = 0;
  #acked = 0;

  constructor(rig: Rig, seed: number) {
    this.rig = rig;
    this.draw = draws(seed);
    this.isn = this.draw(2) === 0 ? -50 - this.draw(500) : this.draw(0x7fffffff);
    this.serverIsn = this.draw(0x7fffffff);
    rig.client({ seq: this.isn, flags: tcp.SYN, mss: 1460, scale: 7 });
    rig.server({ seq: this.serverIsn, ack: (this.isn + 1) | 0, flags: tcp.SYN | tcp.ACK, mss: 1460, scale: 7 });
    this.collect();
  }

  /** Takes down what left for the server, and has the server acknowledge now and then. */
  collect(): void {
    for (const sent of this.rig.take().toResponder) {
      if ((sent.flags & tcp.SYN) !== 0) continue;
      sent.data.forEach((byte, i) => {
        const position = (sent.seq + i - this.isn - 1) | 0;
        const values = this.forwarded.get(position) ?? new Set<number>();
        this.forwarded.set(position, values.add(byte));
        for (const [name, stream] of this.streams) stream.set(position, POLICIES[name](stream.get(position), byte));
      });
    }
    while (this.forwarded.has(this.#rcvNxt)) this.#rcvNxt++;
    if (this.draw(3) === 0)
      this.#acked = this.#rcvNxt - this.draw(2) * this.draw(Math.max(1, this.#rcvNxt - this.#acked));
    if (this.draw(3) === 0) {
      const ack = (this.isn + 1 + this.#acked) | 0;
      this.rig.server({ seq: (this.serverIsn + 1) | 0, ack, window: 500 });
      this.rig.take();
    }
  }

  send(at: number, data: Buffer, flags: number = tcp.ACK): void {
    const isBad = this.draw(20) === 0;
    this.rig.isUndone = !isBad && this.draw(2) === 0;
    const from = segment({ seq: (this.isn + 1 + at) | 0, ack: (this.serverIsn + 1) | 0, flags, data });
    this.rig.pass(from, false, 1, (frame) => {
      if (isBad && data.length > 0) frame.bytes[frame.payloadOffset + this.draw(data.length)] ^= 0x11;
    });
    this.collect();
  }

  /** Position behind the last byte the proxy has acknowledged or forwarded is not known to the sender: it guesses. */
  text(policy: string): string {
    const stream = this.streams.get(policy) as Map<number, number>;
    const bytes: number[] = [];
    for (let i = 0; stream.has(i); i++) bytes.push(stream.get(i) as number);
    return Buffer.from(bytes).toString('latin1');
  }
}

/** Two streams of the same layout: what is meant, and what is put in its place where it overlaps. */
function makeStreams(draw: (below: number) => number): [Buffer, Buffer] {
  const meant: string[] = [];
  const other: string[] = [];
  const count = 3 + draw(8);
  for (let i = 0; i < count; i++) {
    const extra = draw(3) === 0 ? `X: ${'y'.repeat(draw(300))}\r\n` : '';
    const body = draw(4) === 0 ? 'z'.repeat(draw(200)) : '';
    const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`;
    const make = draw(4) === 0 ? no : ok;
    meant.push(make(i % 10, extra + length) + body);
    other.push((make === ok ? no : ok)(i % 10, extra + length) + body.replaceAll('z', 'q'));
  }
  return [Buffer.from(meant.join('')), Buffer.from(other.join(''))];
}

t.test(
  'the server reads what was judged, whatever it keeps of overlapping segments',
  { timeout: 600_000 },
  async (t) => {
    let edited = 0;
    for (let round = 0; round < ROUNDS * 4; round++) {
      const attacker = new Attacker(new Rig(RULES, {}, round % 2 === 0 ? 4 : 6), SEED + round);
      const { draw } = attacker;
      const [meant, other] = makeStreams(draw);
      const segments: [number, Buffer][] = [];
      for (let at = 0; at < meant.length; ) {
        const size = 1 + draw(draw(3) === 0 ? 2000 : 60);
        segments.push([at, meant.subarray(at, at + size)]);
        at += size;
      }
      // Noise: pieces of either stream anywhere, before, between and after the honest ones.
      for (let i = 0; i < 30; i++) {
        const at = draw(meant.length);
        const source = draw(2) === 0 ? other : meant;
        segments.splice(draw(segments.length), 0, [at, source.subarray(at, at + 1 + draw(400))]);
      }
      for (let i = 0; i < 10; i++) {
        const a = draw(segments.length);
        const b = Math.max(0, a - 1 - draw(3));
        [segments[a], segments[b]] = [segments[b], segments[a]];
      }
      for (const [at, data] of segments)
        attacker.send(at, Buffer.from(data), draw(40) === 0 ? tcp.ACK | tcp.URG : tcp.ACK);
      for (const [at, data] of segments) attacker.send(at, Buffer.from(data)); // and all of it again
      if (draw(2) === 0) attacker.send(meant.length, Buffer.alloc(0), tcp.ACK | tcp.FIN);
      const twice = [...attacker.forwarded.values()].filter((values) => values.size > 1);
      if (twice.length > 0) t.fail(`round ${round}: ${twice.length} positions with two values`);
      const [first, ...others] = Object.keys(POLICIES).map((policy) => attacker.text(policy));
      for (const text of others) if (text !== first) t.fail(`round ${round}: receivers read differently`);
      const { requests, rest } = readRequests(first);
      if (requests.some((request) => !request.startsWith('GET /ok')))
        t.fail(`round ${round}: a denied request was read`);
      if (rest !== '') t.fail(`round ${round}: a head was forwarded before its end: ${JSON.stringify(first)}`);
      if (requests.length > 0) edited++;
      attacker.rig.streams.close(1);
      if (attacker.rig.streams.pool.usedBytes !== 0) t.fail(`round ${round}: memory was not given back`);
    }
    t.ok(edited > ROUNDS, `${edited} rounds in which the server read something`);
  },
);

// --- liveness

interface Exchange {
  readonly request: string;
  /** The request as the server gets it, when it is allowed. */
  readonly forwarded: string;
  readonly isAllowed: boolean;
  readonly response: string;
}

/** What the proxy takes out of a head. */
const H2C = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n';

/** @param deniedOfTwelve 0 = and no head is edited: nothing that shifts a stream */
function makeExchanges(draw: (below: number) => number, count: number, deniedOfTwelve = 4): Exchange[] {
  return Array.from({ length: count }, (_, i) => {
    const isAllowed = draw(12) >= deniedOfTwelve;
    const body = draw(3) === 0 ? 'b'.repeat(draw(5000)) : '';
    const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`;
    const filler = draw(4) === 0 ? `X: ${'f'.repeat(draw(3000))}\r\n` : '';
    const answer = `${i}:${'r'.repeat(draw(4) === 0 ? draw(30_000) : draw(300))}`;
    const isChunked = draw(3) === 0;
    const content = isChunked ? `${answer.length.toString(16)}\r\n${answer}\r\n0\r\n\r\n` : answer;
    const framing = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${answer.length}`;
    const upgrade = deniedOfTwelve > 0 && draw(5) === 0 ? H2C : '';
    const make = isAllowed ? ok : no;
    return {
      request: make(i, upgrade + filler + length) + body,
      forwarded: make(i, filler + length) + body,
      isAllowed,
      response: `HTTP/1.1 200 OK\r\n${framing}\r\n\r\n${content}`,
    };
  });
}

/** How often an end of a connection that may have lost its proxy asks for the other. */
const KEEP_ALIVE_MS = 20_000;

const DENIED_RESPONSE =
  'HTTP/1.1 403 Forbidden\r\ncontent-length: 15\r\ncontent-type: text/plain\r\nserver: sluice\r\n\r\nAccess denied\r\n';

/** Runs exchanges over a world: the client writes when it pleases, the server answers each request when it has it whole. */
function exchange(
  world: World,
  exchanges: readonly Exchange[],
  isOver: () => boolean = () => false,
): { toServer: string; toClient: string; isDone: boolean } {
  const allowed = exchanges.filter((one) => one.isAllowed);
  const wantedServer = allowed.map((one) => one.forwarded).join('');
  const wantedClient = exchanges.map((one) => (one.isAllowed ? one.response : DENIED_RESPONSE)).join('');
  let answered = 0;
  let seen = 0;
  let edge = allowed[0]?.forwarded.length ?? 0;
  world.server.onData = (data) => {
    seen += data.length;
    while (answered < allowed.length && seen >= edge) {
      world.server.write(allowed[answered++].response);
      edge += allowed[answered]?.forwarded.length ?? 0;
    }
  };
  world.client.connect();
  let written = 0;
  const isDone = world.run(() => {
    if (written < exchanges.length && world.draw(20) === 0) world.client.write(exchanges[written++].request);
    if (isOver()) return true;
    return world.client.text.length >= wantedClient.length && world.server.text.length >= wantedServer.length;
  });
  return { toServer: wantedServer, toClient: wantedClient, isDone };
}

t.test('every request is answered in its turn, in any weather', { timeout: 600_000 }, async (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    const seed = SEED + 7777 + round;
    const isStormy = round % 3 !== 0;
    const weather = isStormy
      ? { loss: 5, repeat: 5, corrupt: 3, maxDelayMs: 1 + (round % 20) }
      : { loss: 0, repeat: 0, corrupt: 0, maxDelayMs: 1 };
    const rig = new Rig(RULES, {}, round % 2 === 0 ? 4 : 6);
    const world = new World(seed, rig, weather, { timestamps: round % 4 < 2, gso: round % 5 === 0 });
    const exchanges = makeExchanges(world.draw, 1 + world.draw(12));
    let result: ReturnType<typeof exchange>;
    try {
      result = exchange(world, exchanges);
    } catch (error) {
      t.fail(`round ${round}: ${String(error)}`);
      continue;
    }
    const what = `round ${round}: `;
    if (!result.isDone) {
      t.fail(
        `${what}not done; server has ${world.server.text.length}/${result.toServer.length}, client ${world.client.text.length}/${result.toClient.length}`,
      );
      continue;
    }
    if (world.server.text !== result.toServer) t.fail(`${what}the server read something else`);
    if (world.client.text !== result.toClient) t.fail(`${what}the client read something else`);
    world.client.end();
    world.server.end();
    const isOver = world.run(
      () => world.client.hasFinReceived && world.server.hasFinReceived && world.client.isDone && world.server.isDone,
      60_000,
    );
    if (!isOver) t.fail(`${what}the connection did not end`);
    rig.streams.close(1);
    rig.engine.tick(world.nowMs + 1000);
    if (rig.streams.pool.usedBytes !== 0 || rig.streams.timers.count > 0) t.fail(`${what}something was left behind`);
  }
  t.pass('done');
});

t.test(
  'a connection lives through the death of the process, or is reset; it never hangs or lies',
  { timeout: 600_000 },
  async (t) => {
    let survived = 0;
    let usual = 0;
    let usualSurvived = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const what = `round ${round}: `;
      const rig = new Rig(RULES, {}, round % 2 === 0 ? 4 : 6);
      const isStormy = round % 3 === 0;
      const weather = { loss: isStormy ? 4 : 0, repeat: isStormy ? 4 : 0, corrupt: 0, maxDelayMs: 1 + (round % 10) };
      const world = new World(SEED + 999 + round, rig, weather, { timestamps: round % 4 < 2 });
      const isUsual = !isStormy && round % 2 === 0;
      const exchanges = makeExchanges(world.draw, 2 + world.draw(8), isUsual ? 0 : 4);
      let deaths = 0;
      world.onTick = () => {
        if (deaths < 2 && world.draw(60) === 0) {
          deaths++;
          rig.restart();
        }
        // Where frames are lost, the proxy's question may be: both ends ask for themselves in the end.
        if (isStormy && world.nowMs % KEEP_ALIVE_MS === 0) world.client.keepAlive();
        if (isStormy && world.nowMs % KEEP_ALIVE_MS === 0) world.server.keepAlive();
      };
      let result: ReturnType<typeof exchange>;
      try {
        result = exchange(world, exchanges, () => world.client.isReset || world.server.isReset);
      } catch (error) {
        t.fail(`${what}${String(error)}`);
        continue;
      }
      const isReset = world.client.isReset || world.server.isReset;
      if (!result.isDone) t.fail(`${what}it hangs`);
      if (!result.toServer.startsWith(world.server.text)) t.fail(`${what}the server read something else`);
      if (!result.toClient.startsWith(world.client.text)) t.fail(`${what}the client read something else`);
      if (!isReset) survived++;
      if (isUsual) usual++;
      if (isUsual && !isReset) usualSurvived++;
    }
    t.comment(
      `${survived} of ${ROUNDS} connections survived; of those without loss and denials ${usualSurvived} of ${usual}`,
    );
    t.ok(usualSurvived > usual / 2, `${usualSurvived} of ${usual} usual ones survived`);
  },
);
