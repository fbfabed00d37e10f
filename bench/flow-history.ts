/** An agent with millions of flows on disk: its memory, and what questions cost, asked as clients ask. The files are the history's own, written by its writer. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { hubbleSocket } from '../api/sockets.ts';
import { SegmentFiles } from '../daemon/observe/segment-files.ts';
import type { GetFlowsRequestSchema } from '../hubble/proto/observer/observer_pb.ts';
import { deflate, emitChunk, markOf, START } from '../hubble/store/chunk.ts';
import { TableWriter } from '../hubble/store/table-writer.ts';
import { Cleanup, waitFor } from '../test/command.ts';
import { SluiceInstance } from '../test/rig.ts';
import { TownFlows } from '../test/town-flows.ts';
import { FlowClient } from './flow-client.ts';
import { memoryMiB, processCpuUs } from './machine.ts';
import type { Results } from './series.ts';

const SPAN_MS = 7_200_000;
/** In 60,147 of 10 million flows. */
const POD = 'team-5/app-25-25';
const LOOK_MS = 20;
const SUBJECT = 'sluice';

/** Writes `count` flows of the last two hours, as segments. */
async function writeFlows(directory: string, count: number): Promise<number> {
  mkdirSync(directory, { mode: 0o700 });
  const files = new SegmentFiles(directory);
  const town = new TownFlows();
  const startMs = Date.now() - SPAN_MS;
  let number = 1;
  let writer = new TableWriter(startMs);
  const seal = async (): Promise<void> => {
    const { table } = writer;
    await files.write(number++, await emitChunk(table, START, markOf(table), deflate));
    writer = new TableWriter(startMs);
  };
  for (let i = 0; i < count; i++) {
    const flow = town.next(startMs + Math.floor((SPAN_MS * i) / count));
    if (writer.append(flow) === 'taken') continue;
    await seal();
    writer.append(flow);
  }
  await seal();
  return startMs;
}

interface Question {
  readonly name: string;
  readonly request: MessageInitShape<typeof GetFlowsRequestSchema>;
}

function questionsOf(startMs: number): Question[] {
  const since = timestampFromMs(startMs);
  const whitelist = [{ sourcePod: [POD] }, { destinationPod: [POD] }];
  return [
    { name: 'the last 20 of a pod', request: { number: 20n, whitelist } },
    { name: 'all drops of a pod', request: { since, whitelist: whitelist.map((of) => ({ ...of, verdict: [2] })) } },
    { name: 'everything of a busy pod', request: { since, whitelist } },
  ];
}

/** Asks once. @returns the most memory that the agent had meanwhile */
async function ask(
  instance: SluiceInstance,
  { name, request }: Question,
  what: string,
  results: Results,
): Promise<number> {
  const { pid } = instance.agent;
  const client = new FlowClient(hubbleSocket(instance.runDir));
  let most = 0;
  const look = setInterval(() => (most = Math.max(most, memoryMiB(pid).rss)), LOOK_MS);
  const before = processCpuUs(pid);
  const startMs = performance.now();
  const { counts, end } = client.ask(request);
  await end;
  const ms = performance.now() - startMs;
  clearInterval(look);
  client.close();
  if (counts.flows === 0 && what !== '') throw new Error(`${name}: no flow`);
  results.add(SUBJECT, `${what}, ${name}`, ms, 'ms');
  results.add(SUBJECT, `${what}, ${name}: flows`, counts.flows, '');
  results.add(SUBJECT, `${what}, ${name}: agent, own CPU`, (processCpuUs(pid) - before) / 1000, 'ms');
  return most;
}

/** @param count of flows on disk */
export async function measureFlowHistory(rounds: number, count: number, results: Results): Promise<void> {
  const what = `${count / 1e6} M flows on disk`;
  const cleanup = new Cleanup();
  try {
    const folder = mkdtempSync(join(tmpdir(), 'slb-history-'));
    cleanup.add(() => rmSync(folder, { recursive: true, force: true }));
    const directory = join(folder, 'flows');
    console.error(`history: writing ${count} flows`);
    const startMs = await writeFlows(directory, count);
    const config = `hubble: { history: { enabled: true, directory: ${directory}, max-size-mb: 4096 } }\n`;
    const instance = await SluiceInstance.start({ name: 'slb', cleanup, netnsPrefix: 'slb-', config });
    await waitFor('the history', async () => (await instance.read('/v1/status')).history?.flows === count);
    const { rss } = memoryMiB(instance.agent.pid);
    results.add(SUBJECT, `${what}: memory of the agent`, rss, 'MiB');
    for (let round = 1; round <= rounds; round++) {
      console.error(`history, round ${round} of ${rounds}`);
      for (const question of questionsOf(startMs)) {
        const most = await ask(instance, question, what, results);
        results.add(SUBJECT, `${what}: memory of the agent while it answers`, most, 'MiB');
      }
    }
  } finally {
    cleanup.finish();
  }
}
