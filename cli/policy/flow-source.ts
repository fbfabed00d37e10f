/** The recorded flows that a command works on: a file of JSON lines, standard input, or what the running agent holds. */
import { closeSync, openSync, readSync } from 'node:fs';
import { DaemonApi } from '../../api/daemon-api.ts';
import { FlowLines } from '../../explain/flows/flow-lines.ts';
import { Recording } from '../../explain/flows/recording.ts';
import type { Document } from '../../policy/document/document.ts';
import type { PolicyConfig } from '../../policy/rule/options.ts';
import { formatProblem } from '../../policy/rule/problems.ts';
import { readEnvelope } from '../../hubble/decode/read-envelope.ts';
import { parseMoment } from '../../hubble/time.ts';
import { counted } from '../terminal/counted.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import type { Settings } from '../terminal/settings.ts';
import { loadPolicyConfig } from './config.ts';
import { readPolicyManifests } from './manifests.ts';

export interface FlowSource {
  /** A path, `-` for standard input; undefined: the agent. */
  readonly path: string | undefined;
  /** Only from the agent: flows from then on, and up to then. */
  readonly since?: string;
  readonly until?: string;
}

const CHUNK_BYTES = 1_048_576;

/**
 * Reads all flows. Lines that are no flows are told on standard error.
 * @throws Failure when there is no flow at all, or they cannot be read
 */
export async function readRecording(settings: Settings, source: FlowSource): Promise<Recording> {
  const recording = new Recording();
  const { path, since, until } = source;
  if (path === undefined) await fromAgent(settings, recording, { since, until });
  else if (since !== undefined || until !== undefined) {
    const how = 'sluice observe --input-file FILE --since 1h -o json, and - for the file here';
    throw new Failure(`found --since or --until with a file, wanted them without one: ${how}`, EXIT.USAGE);
  } else await fromFile(settings, recording, path);
  if (recording.flows === 0) {
    const where = path === undefined ? 'the agent' : path;
    throw new Failure(`read flows of ${where}: found none, wanted at least one: see \`sluice observe --all -o json\``);
  }
  return recording;
}

async function fromAgent(
  settings: Settings,
  recording: Recording,
  { since, until }: { since: string | undefined; until: string | undefined },
): Promise<void> {
  const nowMs = Date.now();
  const moment = (text: string): string => {
    try {
      return new Date(parseMoment(text, nowMs)).toISOString();
    } catch (error) {
      if (error instanceof SyntaxError) throw new Failure(error.message, EXIT.USAGE);
      throw error;
    }
  };
  const query = {
    ...(since !== undefined && { since: moment(since) }),
    ...(until !== undefined && { until: moment(until) }),
  };
  let lost = 0;
  await new DaemonApi(settings).flows(query, AbortSignal.timeout(MOST_MS), (line) => {
    const { flow, lost_events } = readEnvelope(line) ?? {};
    if (flow !== undefined) recording.add(flow);
    if (lost_events !== undefined) lost += Number(lost_events.num_events_lost) || 0;
  });
  tellLost(settings, lost);
}

/** For the whole answer of the agent. */
const MOST_MS = 120_000;

async function fromFile(settings: Settings, recording: Recording, path: string): Promise<void> {
  const lines = new FlowLines(recording);
  try {
    if (path === '-') for await (const chunk of settings.host.stdin) lines.push(Buffer.from(chunk as Uint8Array));
    else pushFile(lines, path);
  } catch (error) {
    throw new Failure(
      `read flows of ${path}: ${(error as NodeJS.ErrnoException).code ?? String(error)}: check the path`,
    );
  }
  lines.end();
  tellLost(settings, lines.lost);
  if (lines.malformed === 0) return;
  const what = counted(lines.malformed, 'line');
  settings.host.stderr.write(
    `warning: read flows of ${path}: found ${what} without a flow, the first at ${lines.firstMalformed}: left out\n`,
  );
}

/** Into one buffer again and again, since a stream makes a new one each time. */
function pushFile(lines: FlowLines, path: string): void {
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    for (let length = readSync(file, buffer); length > 0; length = readSync(file, buffer))
      lines.push(buffer.subarray(0, length));
  } finally {
    closeSync(file);
  }
}

function tellLost({ host }: Settings, lost: number): void {
  if (lost === 0) return;
  host.stderr.write(`warning: the recording has gaps: ${counted(lost, 'event')} lost, of which nothing is known\n`);
}

/** The options of the file that a command names; the cluster is that of the flows, unless the file says another. */
export function flowConfig(
  recording: Recording,
  { config, semantics }: { readonly config?: string; readonly semantics?: PolicyConfig['semantics'] },
): PolicyConfig {
  const cluster = recording.clusterName();
  return { ...(cluster !== '' && { 'cluster-name': cluster }), ...loadPolicyConfig(config, semantics) };
}

/** The documents of manifests. A policy that is left out may be the one that denies. @throws Failure when one is invalid */
export async function readValid(
  { host }: Settings,
  paths: readonly string[],
  config: PolicyConfig,
): Promise<readonly Document[]> {
  const { documents, problems } = await readPolicyManifests(host, paths, config);
  const errors = problems.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) throw new Failure(`the manifests are invalid:\n${errors.map(formatProblem).join('\n')}`);
  return documents;
}
