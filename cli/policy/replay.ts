/** `sluice policy replay`: what would change for recorded flows if policies were applied. */
import type { Document } from '../../policy/document/document.ts';
import { protocolName } from '../../wire/protocols.ts';
import { flowWorld } from '../../explain/flows/flow-world.ts';
import type { Connection, Recording } from '../../explain/flows/recording.ts';
import { overlaid } from '../../explain/overlay.ts';
import { type Replay, type Replayed, replay } from '../../explain/flows/replay.ts';
import { replayDocument, unjudgedOf, worstFirst } from '../../explain/flows/replay-document.ts';
import { FlowJudge } from '../../explain/verdict.ts';
import type { PolicyWorld, Surroundings } from '../../explain/world.ts';
import { counted } from '../terminal/counted.ts';
import { EXIT } from '../terminal/failure.ts';
import { printDocument } from '../terminal/output.ts';
import type { Settings } from '../terminal/settings.ts';
import { type Column, renderTable } from '../terminal/table.ts';
import { flowConfig, readRecording, readValid } from './flow-source.ts';
import { liveWorld } from './live-world.ts';

export interface ReplayFlags {
  /** A path or `-`; absent: what the agent holds. */
  readonly flows?: string;
  readonly since?: string;
  readonly until?: string;
  readonly policies: readonly string[];
  /** `live`, or paths; absent: what was recorded. */
  readonly against?: readonly string[];
  /** Pods and namespaces, for both sides. */
  readonly manifests?: readonly string[];
  readonly failOn?: 'denied' | 'any' | 'never';
  readonly config?: string;
  readonly semantics?: 'cilium' | 'kubernetes';
}

/** Rows that a table shows. */
const MOST_ROWS = 50;

/** @throws Failure when manifests are invalid, or there is no flow */
export async function showReplay(settings: Settings, flags: ReplayFlags): Promise<void> {
  const isLive = flags.against?.length === 1 && flags.against[0] === 'live';
  const live = isLive ? await liveWorld(settings, 'replay') : undefined;
  const recording = await readRecording(settings, { ...flags, path: flags.flows });
  const config = live?.cluster.options ?? flowConfig(recording, flags);
  const read = (paths: readonly string[]): Promise<readonly Document[]> => readValid(settings, paths, config);
  const shared = await read(flags.manifests ?? []);
  const applied = await read(flags.policies);
  const judgeOf = (documents: readonly Document[], surroundings: Surroundings = {}): FlowJudge =>
    new FlowJudge(flowWorld(recording, documents, config, surroundings));
  const { before, after } = judges(live, { shared, applied, judgeOf, against: await against(flags, isLive, read) });
  const result = replay(recording, after, before);
  await print(settings, recording, result);
  const { failOn = 'denied' } = flags;
  const isWorse = result.changed.some((one) => one.after === 'denied');
  if (failOn === 'denied' ? isWorse : failOn === 'any' && result.changed.length > 0)
    settings.host.exitCode = EXIT.FAILED;
}

async function against(
  flags: ReplayFlags,
  isLive: boolean,
  read: (paths: readonly string[]) => Promise<readonly Document[]>,
): Promise<readonly Document[] | undefined> {
  return flags.against === undefined || isLive ? undefined : read(flags.against);
}

interface Sides {
  readonly shared: readonly Document[];
  readonly applied: readonly Document[];
  /** Policies to compare with; undefined: what was recorded, or the agent's. */
  readonly against: readonly Document[] | undefined;
  readonly judgeOf: (documents: readonly Document[], surroundings?: Surroundings) => FlowJudge;
}

/** What the agent has goes on beside what is applied; policies of files are compared as they stand. */
function judges(
  live: PolicyWorld | undefined,
  { shared, applied, against: old, judgeOf }: Sides,
): { before: FlowJudge | undefined; after: FlowJudge } {
  if (live !== undefined) {
    const { given, surroundings } = live;
    const after = overlaid([...given, ...shared], applied);
    return { before: judgeOf(given, surroundings), after: judgeOf(after, surroundings) };
  }
  return {
    before: old === undefined ? undefined : judgeOf([...shared, ...old]),
    after: judgeOf([...shared, ...applied]),
  };
}

const COLUMNS: readonly Column<Replayed>[] = [
  { header: 'CHANGE', cell: ({ before, after, isAudited }) => `${before} -> ${after}${isAudited ? ' (audited)' : ''}` },
  { header: 'FLOWS', cell: ({ connection }) => connection.flows },
  { header: 'FROM', cell: ({ connection }) => connection.from.text },
  { header: 'TO', cell: ({ connection }) => connection.to.text },
  { header: 'PORT', cell: ({ connection }) => portText(connection) },
  { header: 'REQUEST', cell: ({ connection }) => requestText(connection) },
  { header: 'BY', cell: ({ policies }) => policies.join('\n') },
];

/** `8080/TCP`, `ICMP type 8`. */
export function portText({ protocol, port }: Connection): string {
  const name = protocolName(protocol);
  return name.startsWith('ICMP') ? `${name} type ${port}` : `${port}/${name}`;
}

/** `GET /offers`, '' for a connection without one. */
export function requestText({ request }: Connection): string {
  if (request?.http !== undefined) return `${request.http.method ?? ''} ${request.http.path ?? ''}`.slice(0, 100);
  if (request?.dns !== undefined) return request.dns.query;
  if (request?.kafka !== undefined) return `${request.kafka.apiKey ?? ''} ${request.kafka.topic ?? ''}`.trim();
  return request?.sni ?? '';
}

async function print(settings: Settings, recording: Recording, result: Replay): Promise<void> {
  if (settings.output !== 'table') {
    await printDocument(settings, replayDocument(recording, result));
    return;
  }
  const changed = worstFirst(result);
  const { stdout } = settings.host;
  if (changed.length > 0)
    stdout.write(renderTable(COLUMNS, changed.slice(0, MOST_ROWS), { headers: settings.headers }));
  if (changed.length > MOST_ROWS) stdout.write(`... and ${changed.length - MOST_ROWS} more: see -o json\n`);
  stdout.write(summary(recording, result, unjudgedOf(recording, result)));
}

function summary(recording: Recording, result: Replay, unjudged: Readonly<Record<string, number>>): string {
  const count = (key: string): number => result.counts.get(key) ?? 0;
  const connections = counted(result.connections, 'connection');
  const lines = [
    `${counted(recording.flows, 'flow')}, ${result.flows} of them judged: ${connections}`,
    `${count('allowed denied')} would be denied that were allowed, ${count('denied allowed')} allowed that were denied; ` +
      `${count('allowed allowed')} stay allowed, ${count('denied denied')} denied`,
  ];
  const left = Object.entries(unjudged).map(([reason, number]) => `${number} ${reason}`);
  if (left.length > 0) lines.push(`not judged: ${left.join(', ')}`);
  return `${lines.join('\n')}\n`;
}
