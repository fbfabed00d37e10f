/**
 * Two TCP endpoints with an L7 engine between them, in simulated time. Links
 * lose, repeat, delay and corrupt by a seeded draw.
 */
import { Peer } from './tcp-peer.ts';
import { draws, type Rig, type Segment } from './tcp-rig.ts';

/** How a link treats frames, in percent. */
export interface Weather {
  readonly loss: number;
  readonly repeat: number;
  readonly corrupt: number;
  readonly maxDelayMs: number;
}

const PAGE_BITS = 12;
const UNKNOWN = -1;

interface Flight {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** The endpoints, the links, the engine, and time. */
export class World {
  nowMs = 1;
  readonly draw: (below: number) => number;
  readonly rig: Rig;
  readonly client: Peer;
  readonly server: Peer;
  readonly #weather: Weather;
  readonly #flights: Flight[] = [];
  #order = 0;
  /** Frames that crossed the engine. */
  frames = 0;
  /** Frames cross without the engine: what L4 would do. */
  isPlain = false;
  /** Until then the process is dead: what comes to it is lost. */
  deadUntilMs = 0;
  /** Called every millisecond. */
  onTick: () => void = () => {};
  /** What left the engine, by way and sequence number, in pages: a position never has two values. */
  readonly #forwarded = [new Map<number, Int16Array>(), new Map<number, Int16Array>()];
  constructor(
    seed: number,
    rig: Rig,
    weather: Weather,
    peers: { timestamps?: boolean; gso?: boolean; window?: number; sack?: boolean } = {},
  ) {
    this.draw = draws(seed);
    this.rig = rig;
    this.#weather = weather;
    const options = () => ({
      isn: this.draw(0x7fffffff) * 2,
      scale: this.draw(8),
      mss: 200 + this.draw(1200),
      gsoBytes: peers.gso === true ? 60_000 : 1000,
      window: peers.window ?? 20_000 + this.draw(40_000),
      hasTimestamps: peers.timestamps ?? false,
      hasSack: peers.sack ?? false,
    });
    this.client = new Peer(this, false, options());
    this.server = new Peer(this, true, options());
  }

  /** A segment leaves an endpoint: over its link to the engine, and over the other link on. */
  send(from: Peer, sent: Segment): void {
    const copy = { ...sent, data: Buffer.from(sent.data) };
    this.#fly(() => this.#cross(copy, from.isServer));
  }

  #fly(run: () => void): void {
    const { loss, repeat, maxDelayMs } = this.#weather;
    if (this.draw(100) < loss) return;
    const times = this.draw(100) < repeat ? 2 : 1;
    for (let i = 0; i < times; i++) {
      this.#flights.push({ atMs: this.nowMs + 1 + this.draw(maxDelayMs), order: this.#order++, run });
    }
  }

  #cross(sent: Segment, isReply: boolean): void {
    if (this.nowMs < this.deadUntilMs) return;
    this.frames++;
    if (this.isPlain) {
      this.#fly(() => (isReply ? this.client : this.server).receive(sent));
      return;
    }
    this.rig.isUndone = this.draw(2) === 0;
    const isCorrupt = this.draw(100) < this.#weather.corrupt && sent.data.length > 0;
    if (isCorrupt) this.rig.isUndone = false;
    this.rig.pass(sent, isReply, 1, (frame) => {
      if (isCorrupt) frame.bytes[frame.payloadOffset + this.draw(sent.data.length)] ^= 0x20;
    });
    this.deliver();
  }

  /** What the engine let out goes on its way. */
  deliver(): void {
    const { toResponder, toInitiator } = this.rig.take();
    for (const segment of toResponder) {
      this.#compare(segment, 0);
      this.#fly(() => this.server.receive(segment));
    }
    for (const segment of toInitiator) {
      this.#compare(segment, 1);
      this.#fly(() => this.client.receive(segment));
    }
  }

  #compare({ seq, data }: Segment, way: number): void {
    const pages = this.#forwarded[way];
    for (let i = 0; i < data.length; i++) {
      const position = (seq + i) | 0;
      let page = pages.get(position >>> PAGE_BITS);
      if (page === undefined) pages.set(position >>> PAGE_BITS, (page = new Int16Array(1 << PAGE_BITS).fill(UNKNOWN)));
      const at = position & ((1 << PAGE_BITS) - 1);
      if (page[at] !== UNKNOWN && page[at] !== data[i])
        throw new Error(`position ${position} was sent twice, differently`);
      page[at] = data[i];
    }
  }

  /** Lets time run until `isDone`. @returns false when it was not done in `limitMs` */
  run(isDone: () => boolean, limitMs = 120_000): boolean {
    const untilMs = this.nowMs + limitMs;
    while (!isDone()) {
      if (this.nowMs >= untilMs) return false;
      this.nowMs++;
      this.onTick();
      if (this.nowMs >= this.deadUntilMs) this.rig.engine.tick(this.nowMs);
      this.deliver();
      this.#flights.sort((a, b) => a.atMs - b.atMs || a.order - b.order);
      while (this.#flights.length > 0 && this.#flights[0].atMs <= this.nowMs) this.#flights.shift()?.run();
      this.client.tick();
      this.server.tick();
    }
    return true;
  }
}
