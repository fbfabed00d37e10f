/**
 * How many flows a second one client can follow: rings are filled by this process, read by an observatory in another, whose client is
 * a third. No frame is forwarded, so the load is no limit.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hubbleSocket } from '../api/sockets.ts';
import { mapFile } from '../dataplane/native/index.ts';
import { EVENT_RINGS, PINNED, type PinnedFile, type PinnedName } from '../policy-maps/pinned.ts';
import type { PinnedMap } from '../policy-maps/table/pinned-map.ts';
import type { EventRing } from '../policy-maps/event-ring.ts';
import { Cleanup, waitFor } from '../test/command.ts';
import { EVENT_DROP, EVENT_L7, typeOf } from '../wire/event.ts';
import { EventTown, RecordTime } from './event-town.ts';
import { Follower } from './flow-follower.ts';
import { processCpuUs } from './machine.ts';
import type { Results } from './series.ts';

const DIFFERENT = 8192; // records
const STEP_MS = 5;
const WARM_UP_SEC = 2;
/** The load that is promised to arrive whole. */
const PROMISED = 50_000;
/** Records that may be under way when they are written as the client takes them: fewer than the ring of flows holds. */
const UNDER_WAY = 4000;
const SUBJECT = 'sluice';

/** Rings as the agent makes them, and records to fill them with. */
class Rings {
  readonly #rings: readonly EventRing[];
  readonly #times: readonly RecordTime[];
  readonly #records = new EventTown().mixed(DIFFERENT);
  #written = 0;

  constructor(runDir: string) {
    const folder = join(runDir, 'maps');
    mkdirSync(folder);
    const make = (name: PinnedName): PinnedMap => {
      const { file, map } = PINNED[name] as PinnedFile<PinnedMap>;
      return map.create(join(folder, file), {}, mapFile);
    };
    for (const name of ['config', 'dropCounts'] as const) make(name);
    this.#rings = EVENT_RINGS.map((name) => make(name) as EventRing);
    this.#times = this.#rings.map(({ bytes }) => new RecordTime(bytes));
  }

  /** Writes what is due, again and again. @param dueAt how many records until now @returns how many were written */
  async fill(dueAt: (elapsedMs: number) => Promise<number>, seconds: number): Promise<number> {
    const startMs = performance.now();
    let written = 0;
    for (let elapsedMs = 0; elapsedMs < seconds * 1000; elapsedMs = performance.now() - startMs) {
      for (const due = await dueAt(elapsedMs); written < due; written++) this.#write(Date.now());
      for (const ring of this.#rings) ring.commit();
      await new Promise((resolve) => setTimeout(resolve, STEP_MS));
    }
    return written;
  }

  #write(nowMs: number): void {
    const record = this.#records[this.#written++ % DIFFERENT];
    const type = typeOf(record, 0);
    const number = type === EVENT_L7 ? 2 : type === EVENT_DROP ? 1 : 0;
    const ring = this.#rings[number];
    const at = ring.next();
    ring.bytes.set(record, at);
    this.#times[number].set(at, nowMs);
  }
}

class Rig {
  readonly #runDir = mkdtempSync(join(tmpdir(), 'slb-flows-'));
  readonly #rings = new Rings(this.#runDir);
  readonly #host: ChildProcess;

  constructor(cleanup: Cleanup) {
    cleanup.add(() => rmSync(this.#runDir, { recursive: true, force: true }));
    this.#host = fork(join(import.meta.dirname, 'flow-host.js'), [this.#runDir], { stdio: 'inherit' });
    cleanup.add(() => this.#host.kill());
  }

  /** One load, each time to a client of its own. @param perSecond undefined: as many as the client takes */
  async measure(perSecond: number | undefined, seconds: number, results: Results): Promise<void> {
    const follower = await Follower.start(hubbleSocket(this.#runDir));
    let start = 0;
    const dueAt = async (elapsedMs: number): Promise<number> => {
      if (perSecond !== undefined) return Math.floor((perSecond * elapsedMs) / 1000);
      const { flows, lost } = await follower.counts();
      return flows + lost - start + UNDER_WAY;
    };
    await this.#rings.fill(dueAt, WARM_UP_SEC);
    const before = { ...(await this.#settled(follower)), cpu: this.#cpuUs(), clientCpu: processCpuUs(follower.pid) };
    start = before.flows + before.lost;
    const startMs = performance.now();
    const written = await this.#rings.fill(dueAt, seconds);
    const sec = (performance.now() - startMs) / 1000;
    const after = await this.#settled(follower);
    follower.stop();
    const [got, lost] = [after.flows - before.flows, after.lost - before.lost];
    const name = perSecond === undefined ? 'as many as one client takes' : `${perSecond}/s to one client`;
    results.add(SUBJECT, `${name}: flows that it got`, got / sec / 1000, 'k/s');
    results.add(SUBJECT, `${name}: lost`, (100 * (written - got)) / written, '%');
    results.add(SUBJECT, `${name}: lost and not told`, (100 * (written - got - lost)) / written, '%');
    results.add(SUBJECT, `${name}: observatory a flow, own CPU`, (this.#cpuUs() - before.cpu) / got, 'us');
    results.add(
      SUBJECT,
      `${name}: the client a flow, CPU`,
      (processCpuUs(follower.pid) - before.clientCpu) / got,
      'us',
    );
  }

  async ready(): Promise<void> {
    await once(this.#host, 'message');
  }

  async stop(): Promise<void> {
    const ended = once(this.#host, 'exit');
    this.#host.disconnect();
    await ended;
  }

  /** When all has been read, and told: losses are once a second. */
  async #settled(follower: Follower) {
    let last = await follower.counts();
    await waitFor('the client to have read all', async () => {
      await new Promise((resolve) => setTimeout(resolve, 1500));
      const now = await follower.counts();
      const isSame = now.bytes === last.bytes;
      last = now;
      return isSame;
    });
    return last;
  }

  #cpuUs(): number {
    return processCpuUs(this.#host.pid ?? -1);
  }
}

export async function measureFlowStream(rounds: number, seconds: number, results: Results): Promise<void> {
  for (let round = 1; round <= rounds; round++) {
    console.error(`flows to one client, round ${round} of ${rounds}`);
    const cleanup = new Cleanup();
    try {
      const rig = new Rig(cleanup);
      await rig.ready();
      for (const perSecond of [undefined, PROMISED]) await rig.measure(perSecond, seconds, results);
      await rig.stop();
    } finally {
      cleanup.finish();
    }
  }
}
