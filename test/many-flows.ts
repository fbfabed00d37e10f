/**
 * Many flows in segments: what they cost, and what questions find. The figures are told; what is asserted are the answers, the
 * size and the memory.
 */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { TownFlows } from './town-flows.ts';
import { compileFilters } from '../hubble/filter/filter.ts';
import { observeFilters } from '../hubble/filter/observe-filter.ts';
import type { Envelope } from '../hubble/flow.ts';
import type { FlowsRequest } from '../hubble/ring.ts';
import { deflate, emitChunk, markOf, START } from '../hubble/store/chunk.ts';
import { ask, type Part } from '../hubble/store/query.ts';
import { MAX_ROWS } from '../hubble/store/columns.ts';
import { Segment } from '../hubble/store/segment.ts';
import { TableWriter } from '../hubble/store/table-writer.ts';

const HOURS_2 = 7_200_000;
const START_MS = Date.UTC(2026, 0, 2);
const MOST_MIB = 300;
const MOST_BYTES = 70; // a flow

const POD = 'team-5/app-25-25';

async function useFile<T>(path: string, read: (segment: Segment) => Promise<T>): Promise<T> {
  const file = openSync(path, 'r');
  try {
    const { size } = statSync(path);
    const bytesAt = (at: number, length: number) => {
      const bytes = Buffer.allocUnsafeSlow(Math.min(length, size - at));
      readSync(file, bytes, 0, bytes.length, at);
      return Promise.resolve(bytes);
    };
    return await read(await Segment.open({ size, read: bytesAt }));
  } finally {
    closeSync(file);
  }
}

/** Writes `count` flows of two hours, and asks for some. */
export class ManyFlows {
  readonly #t: Test;
  readonly #folder: string;
  readonly #parts: Part[] = [];
  readonly #town = new TownFlows();
  /** How many flows each question must find. */
  readonly #wanted = { pod: 0, dropped: 0, port: 0 };

  constructor(t: Test) {
    this.#t = t;
    this.#folder = mkdtempSync(join(tmpdir(), 'sluice-many-flows-'));
    t.teardown(() => rmSync(this.#folder, { recursive: true }));
  }

  async write(count: number): Promise<void> {
    const t = this.#t;
    let writer = new TableWriter(START_MS);
    let bytes = 0;
    let cpu = 0;
    for (let at = 0; at < count; at += 1000) {
      const momentOf = (index: number) => START_MS + Math.floor((HOURS_2 * (at + index)) / count);
      const batch = Array.from({ length: 1000 }, (_, index) => this.#town.next(momentOf(index)));
      for (const one of batch) this.#note(one);
      const before = process.cpuUsage();
      for (const one of batch) {
        if (writer.append(one) === 'taken') continue;
        bytes += await this.#seal(writer);
        writer = new TableWriter(START_MS);
        if (writer.append(one) !== 'taken') t.fail('an empty table takes a flow');
      }
      const { user, system } = process.cpuUsage(before);
      cpu += user + system;
    }
    bytes += await this.#seal(writer);
    const each = `${(bytes / count).toFixed(1)} bytes and ${(cpu / count).toFixed(2)} us a flow`;
    t.comment(`${count} flows: ${this.#parts.length} segments, ${each}, ${rssMib()} MiB`);
    t.equal(this.#parts.length, Math.ceil(count / MAX_ROWS), 'every segment is full');
    t.ok(bytes / count < MOST_BYTES, `${bytes / count} bytes a flow`);
    t.ok(rssMib() < MOST_MIB, `${rssMib()} MiB`);
  }

  async ask(): Promise<void> {
    const t = this.#t;
    const all = { sinceMs: START_MS };
    const { pod, dropped, port } = this.#wanted;
    const ofPod: [string, string][] = [['pod', POD]];
    const questions: readonly [string, [string, string][], FlowsRequest, number | undefined][] = [
      ['the last 20 of a pod', ofPod, { ...all, number: 20 }, 20],
      ['the first 20 of a pod', ofPod, { ...all, number: 20, first: true }, 20],
      ['all drops of a pod', [...ofPod, ['verdict', 'DROPPED']], all, dropped],
      ['a pod within five minutes', ofPod, { sinceMs: START_MS + HOURS_2 - 300_000 }, undefined],
      [
        'an address and a port',
        [
          ['from-ip', '10.244.0.25'],
          ['to-port', '443'],
        ],
        all,
        port,
      ],
      ['nobody', [['pod', 'team-5/nobody']], all, 0],
      ['everything of a pod', ofPod, all, pod],
    ];
    for (const [what, flags, request, count] of questions) {
      const found = await this.#answer(flags, request);
      t.comment(`${what}: ${found.count} flows in ${found.ms} ms, ${found.cpuMs} ms of CPU, ${rssMib()} MiB`);
      if (count !== undefined) t.equal(found.count, count, what);
      t.ok(rssMib() < MOST_MIB, `${what}: ${rssMib()} MiB`);
    }
  }

  async #seal(writer: TableWriter): Promise<number> {
    const { table } = writer;
    const bytes = Buffer.concat(await emitChunk(table, START, markOf(table), deflate));
    const path = join(this.#folder, `${this.#parts.length}`);
    writeFileSync(path, bytes);
    const { minMs, maxMs, rows } = table;
    this.#parts.push({ name: path, minMs, maxMs, limit: rows, use: (read) => useFile(path, read) });
    return bytes.length;
  }

  async #answer(flags: [string, string][], request: FlowsRequest) {
    const { allow, deny } = observeFilters(flags);
    const before = process.cpuUsage();
    const startMs = performance.now();
    let count = 0;
    const signal = new AbortController().signal;
    const onUnreadable = (part: Part, error: Error) => this.#t.fail(`${part.name}: ${error.message}`);
    const pause = () => new Promise<void>((resolve) => setImmediate(resolve));
    const matches = compileFilters(allow, deny);
    for await (const batch of ask(this.#parts, { request, allow, matches, signal, pause, onUnreadable })) {
      count += batch.length;
    }
    const { user, system } = process.cpuUsage(before);
    return { count, ms: Math.round(performance.now() - startMs), cpuMs: Math.round((user + system) / 1000) };
  }

  #note({ flow }: Envelope): void {
    const { namespace, pod_name: pod = '' } = flow?.source ?? {};
    const isPod = [`${namespace}/${pod}`, `${flow?.destination.namespace}/${flow?.destination.pod_name}`].some((name) =>
      name.startsWith(POD),
    );
    if (isPod) this.#wanted.pod++;
    if (isPod && flow?.verdict === 'DROPPED') this.#wanted.dropped++;
    if (flow?.IP?.source === '10.244.0.25' && flow.l4?.TCP?.destination_port === 443) this.#wanted.port++;
  }
}

function rssMib(): number {
  return Math.round(process.memoryUsage().rss / 2 ** 20);
}
