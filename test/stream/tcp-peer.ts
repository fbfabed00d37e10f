/**
 * One end of a TCP connection in simulated time: a strict receiver, and a sender that goes back when its timer runs out, or
 * sends again what is missing when both ends understand selective acknowledgements.
 */
import * as tcp from '../../wire/header/tcp.ts';
import { Scoreboard } from './scoreboard.ts';
import { type Segment, segment } from './tcp-rig.ts';

const RTO_MS = 250;
/** A round over links of 1 ms, and some. */
const ROUND_MS = 8;
const MAX_SACK_BLOCKS = 3;

/** What an end sees of the world around it. */
export interface PeerWorld {
  readonly nowMs: number;
  readonly draw: (below: number) => number;
  send(from: Peer, sent: Segment): void;
}

/** One end of a connection. */
export class Peer {
  readonly isServer: boolean;
  /** All that has arrived, in order. */
  text = '';
  isReset = false;
  hasFinReceived = false;
  isEstablished = false;
  readonly #world: PeerWorld;
  readonly #isn: number;
  #out: Buffer = Buffer.alloc(0);
  /** Sequence number of out[0]. */
  #base: number;
  #una: number;
  #nxt: number;
  #rcvNxt = 0;
  #peerWindow = 0;
  #peerScale = 0;
  #wantsFin = false;
  #finSent = false;
  #dups = 0;
  #timerMs = Number.POSITIVE_INFINITY;
  #tsRecent = 0;
  readonly #early = new Map<number, Buffer>();
  #earlyFin = -1;
  #latest = 0;
  #usesSack = false;
  readonly #board = new Scoreboard();
  readonly hasSack: boolean;
  /** Payload bytes sent, again or not. */
  sentBytes = 0;
  readonly scale: number;
  readonly mss: number;
  /** Largest burst handed over as one frame. */
  readonly gsoBytes: number;
  readonly window: number;
  readonly hasTimestamps: boolean;
  onData: (data: Buffer) => void = () => {};

  constructor(
    world: PeerWorld,
    isServer: boolean,
    options: {
      isn: number;
      scale: number;
      mss: number;
      gsoBytes: number;
      window: number;
      hasTimestamps: boolean;
      hasSack?: boolean;
    },
  ) {
    this.#world = world;
    this.isServer = isServer;
    this.#isn = options.isn;
    this.#base = (options.isn + 1) | 0;
    this.#una = options.isn;
    this.#nxt = options.isn;
    this.scale = options.scale;
    this.mss = options.mss;
    this.gsoBytes = options.gsoBytes;
    this.window = options.window;
    this.hasTimestamps = options.hasTimestamps;
    this.hasSack = options.hasSack ?? false;
  }

  connect(): void {
    this.#nxt = this.#base;
    this.#sendSyn(tcp.SYN);
  }

  #sendSyn(flags: number): void {
    const timestamps = this.hasTimestamps ? { timestamps: [this.#world.nowMs, this.#tsRecent] as const } : {};
    const ack = flags & tcp.ACK ? this.#rcvNxt : 0;
    const window = Math.min(0xffff, this.window);
    this.#world.send(
      this,
      segment({
        ...{ seq: this.#isn, ack, flags, window, mss: this.mss, scale: this.scale, ...timestamps },
        ...(this.hasSack && { allowsSack: true }),
      }),
    );
    this.#timerMs = this.#world.nowMs + RTO_MS;
  }

  write(data: string | Buffer): void {
    this.#out = Buffer.concat([this.#out, typeof data === 'string' ? Buffer.from(data, 'latin1') : data]);
    this.#push();
  }

  end(): void {
    this.#wantsFin = true;
    this.#push();
  }

  get isDone(): boolean {
    return this.isReset || this.#una === this.#nxt;
  }

  #segment(fields: Partial<Segment>): Segment {
    const timestamps = this.hasTimestamps ? { timestamps: [this.#world.nowMs, this.#tsRecent] as const } : {};
    return segment({ ack: this.#rcvNxt, window: this.window >>> this.scale, ...timestamps, ...fields });
  }

  #push(): void {
    if (!this.isEstablished || this.isReset) return;
    for (;;) {
      const sent = (this.#nxt - this.#base) | 0;
      const room = (this.#una + this.#peerWindow - this.#nxt) | 0;
      const count = Math.min(this.#out.length - sent, room, this.gsoBytes);
      if (count <= 0) break;
      const data = this.#out.subarray(sent, sent + count);
      this.sentBytes += data.length;
      this.#world.send(this, this.#segment({ seq: this.#nxt, flags: tcp.ACK | tcp.PSH, data }));
      this.#nxt = (this.#nxt + count) | 0;
      this.#arm();
    }
    if (this.#wantsFin && !this.#finSent && ((this.#nxt - this.#base) | 0) === this.#out.length) {
      this.#world.send(this, this.#segment({ seq: this.#nxt, flags: tcp.ACK | tcp.FIN }));
      this.#nxt = (this.#nxt + 1) | 0;
      this.#finSent = true;
      this.#arm();
    }
  }

  #arm(): void {
    if (this.#timerMs === Number.POSITIVE_INFINITY) this.#timerMs = this.#world.nowMs + RTO_MS;
  }

  /** Sends again from the first unacknowledged byte, cut where it pleases. */
  #resend(): void {
    if (!this.isEstablished) {
      if (this.#una !== this.#nxt && (!this.isServer || this.#rcvNxt !== 0)) {
        this.#sendSyn(this.isServer ? tcp.SYN | tcp.ACK : tcp.SYN);
      }
      return;
    }
    if (this.#usesSack) {
      this.#board.timedOut(this.#una, this.#nxt);
      this.#repair();
      this.#timerMs = this.#world.nowMs + RTO_MS;
      return;
    }
    const at = (this.#una - this.#base) | 0;
    const count = Math.min(this.#out.length - at, 1 + this.#world.draw(this.mss * 2), (this.#nxt - this.#una) | 0);
    const isAll = this.#finSent && at + count === this.#out.length;
    const flags = tcp.ACK | (isAll ? tcp.FIN : 0);
    if (count > 0 || isAll) {
      this.#world.send(this, this.#segment({ seq: this.#una, flags, data: this.#out.subarray(at, at + count) }));
    }
    this.#timerMs = this.#world.nowMs + RTO_MS;
  }

  /** Sends again what is taken for lost. */
  #repair(): void {
    for (const [from, to] of this.#board.lost(this.#una, this.mss, this.#world.nowMs, ROUND_MS, 4)) {
      const data = this.#out.subarray((from - this.#base) | 0, (to - this.#base) | 0);
      const hasFin = this.#finSent && ((to - this.#base) | 0) > this.#out.length;
      this.sentBytes += data.length;
      this.#world.send(this, this.#segment({ seq: from, flags: tcp.ACK | (hasFin ? tcp.FIN : 0), data }));
    }
  }

  tick(): void {
    if (this.#world.nowMs < this.#timerMs) return;
    if (this.isReset || this.#una === this.#nxt) this.#timerMs = Number.POSITIVE_INFINITY;
    else this.#resend();
  }

  receive(from: Segment): void {
    if (this.isReset) return;
    if ((from.flags & tcp.SYN) !== 0) {
      this.#receiveSyn(from);
      return;
    }
    if ((from.flags & tcp.RST) !== 0) {
      if (from.seq === this.#rcvNxt || !this.isEstablished) this.isReset = true;
      return;
    }
    if (!this.isEstablished && !(this.isServer && from.ack === this.#base)) return;
    if (!this.#isAcceptable(from)) {
      this.#ack();
      return;
    }
    if (this.hasTimestamps) {
      if (from.timestamps === undefined) throw new Error('a segment without timestamps');
      if (((from.timestamps[0] - this.#tsRecent) | 0) < 0) return;
      if (((from.seq - this.#rcvNxt) | 0) <= 0) this.#tsRecent = from.timestamps[0];
    }
    this.#establish();
    this.#receiveAck(from);
    this.#receiveData(from);
  }

  /** RFC 9293 3.10.7.4; what is not acceptable is answered, and not looked at further. */
  #isAcceptable(from: Segment): boolean {
    const length = from.data.length + ((from.flags & tcp.FIN) !== 0 ? 1 : 0);
    const offset = (from.seq - this.#rcvNxt) | 0;
    if (offset > this.window) return false;
    return length === 0 ? offset >= 0 : offset + length > 0;
  }

  #establish(): void {
    if (this.isEstablished) return;
    this.isEstablished = true;
    this.#una = this.#base;
    this.#timerMs = Number.POSITIVE_INFINITY;
  }

  #receiveSyn(from: Segment): void {
    if (this.isEstablished) {
      this.#world.send(this, this.#segment({ seq: this.#nxt }));
      return;
    }
    this.#rcvNxt = (from.seq + 1) | 0;
    this.#peerScale = from.scale ?? 0;
    this.#usesSack = this.hasSack && from.allowsSack === true;
    this.#peerWindow = from.window;
    if (from.timestamps !== undefined) this.#tsRecent = from.timestamps[0];
    if (this.isServer) {
      this.#nxt = this.#base;
      this.#sendSyn(tcp.SYN | tcp.ACK);
      return;
    }
    this.#establish();
    this.#world.send(this, this.#segment({ seq: this.#nxt }));
    this.#push();
  }

  #receiveAck(from: Segment): void {
    if (((from.ack - this.#nxt) | 0) > 0) throw new Error(`${this.name} was told that it sent what it did not`);
    const isSame = from.ack === this.#una;
    if (((from.ack - this.#una) | 0) >= 0) {
      this.#una = from.ack;
      this.#peerWindow = from.window * 2 ** this.#peerScale;
    }
    if (this.#usesSack) {
      this.#board.note(from.sack ?? [], this.#una);
      this.#repair();
    } else if (!isSame || from.data.length > 0) this.#dups = 0;
    else if (this.#una !== this.#nxt && ++this.#dups === 3) this.#resend();
    if (this.#una === this.#nxt) this.#timerMs = Number.POSITIVE_INFINITY;
    else if (!isSame) this.#timerMs = this.#world.nowMs + RTO_MS;
    this.#push();
  }

  #receiveData(from: Segment): void {
    const hasFin = (from.flags & tcp.FIN) !== 0;
    if (from.data.length === 0 && !hasFin) return;
    if (((from.seq + from.data.length - this.#rcvNxt) | 0) > this.window) {
      this.#ack(); // what the proxy injects comes on top of what the other end may send: TCP makes good for it
      return;
    }
    if (from.data.length > 0) this.#early.set(from.seq, from.data);
    this.#latest = from.seq;
    if (hasFin) this.#earlyFin = (from.seq + from.data.length) | 0;
    for (let isMoving = true; isMoving; ) {
      isMoving = false;
      for (const [seq, data] of this.#early) {
        const skip = (this.#rcvNxt - seq) | 0;
        if (skip < 0) continue;
        this.#early.delete(seq);
        if (skip >= data.length) continue;
        const fresh = data.subarray(skip);
        this.#rcvNxt = (this.#rcvNxt + fresh.length) | 0;
        this.text += fresh.toString('latin1');
        this.onData(fresh);
        isMoving = true;
      }
    }
    if (this.#earlyFin === this.#rcvNxt && !this.hasFinReceived && (hasFin || this.#earlyFin !== -1)) {
      this.hasFinReceived = true;
      this.#rcvNxt = (this.#rcvNxt + 1) | 0;
    }
    this.#ack();
  }

  #ack(): void {
    const sack = this.#usesSack ? this.#blocks() : [];
    this.#world.send(this, this.#segment({ seq: this.#nxt, ...(sack.length > 0 && { sack }) }));
  }

  /** RFC 2018 4: the block of the latest segment first. */
  #blocks(): [number, number][] {
    const merged: [number, number][] = [];
    for (const [seq, data] of [...this.#early].sort((a, b) => (a[0] - b[0]) | 0)) {
      const last = merged.at(-1);
      const right = (seq + data.length) | 0;
      if (last === undefined || ((seq - last[1]) | 0) > 0) merged.push([seq, right]);
      else if (((right - last[1]) | 0) > 0) last[1] = right;
    }
    const isLatest = ([left, right]: [number, number]) =>
      ((this.#latest - left) | 0) >= 0 && ((right - this.#latest) | 0) > 0;
    return [...merged.filter(isLatest), ...merged.filter((block) => !isLatest(block))].slice(0, MAX_SACK_BLOCKS);
  }

  /** Asks the other end whether it is still there (RFC 9293 3.8.4). */
  keepAlive(): void {
    if (!this.isReset) this.#world.send(this, this.#segment({ seq: (this.#nxt - 1) | 0 }));
  }

  get name(): string {
    return this.isServer ? 'server' : 'client';
  }
}
