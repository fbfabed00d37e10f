/** `sluice flows explain`: why a recorded flow would be allowed or denied now, what has changed since, and a patch that allows it. */
import { DaemonApi } from '../../api/daemon-api.ts';
import { patchesFor, sinceOf } from '../../explain/explanation.ts';
import type { PatchedPolicy } from '../../explain/patch.ts';
import { FlowJudge } from '../../explain/verdict.ts';
import type { PolicyWorld } from '../../explain/world.ts';
import { compileFilters } from '../../hubble/filter/filter.ts';
import { readEnvelope } from '../../hubble/decode/read-envelope.ts';
import type { Flow } from '../../hubble/flow.ts';
import { FlowPrinter } from '../../hubble/print/print.ts';
import { PLAIN } from '../../hubble/print/terminal.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import type { Settings } from '../terminal/settings.ts';
import { explain } from './explain.ts';
import { envelopesOf } from '../ask/observe.ts';
import { parseFlow, queryOfFlow, readFlow } from './flow-query.ts';

export interface FlowExplainFlags {
  /** The flow as JSON, a file that begins with it, or `-`. */
  readonly flow?: string;
  /** A file of flows in which the identifier is looked up; absent: the agent is asked. */
  readonly inputFile?: string;
  /** Print the changed policies alone. */
  readonly patch?: boolean;
}

/** The flow that the arguments name. @throws Failure when there is none */
export async function chosenFlow(
  settings: Settings,
  uuid: string | undefined,
  { flow, inputFile }: FlowExplainFlags,
): Promise<Flow> {
  if ((uuid === undefined) === (flow === undefined))
    throw new Failure('flows explain: wanted the UUID of a flow (sluice observe -o json), or --flow', EXIT.USAGE);
  if (flow !== undefined)
    return flow.trimStart().startsWith('{') ? parseFlow(flow, '--flow') : readFlow(settings.host, flow);
  const found =
    inputFile === undefined ? await askFor(settings, uuid ?? '') : await lookFor(settings, uuid ?? '', inputFile);
  if (found !== undefined) return found;
  const where = inputFile ?? 'the agent';
  throw new Failure(
    `find flow ${uuid ?? ''}: ${where} has none of this UUID: flows that are overwritten are gone; see \`sluice observe -o json\``,
  );
}

async function askFor(settings: Settings, uuid: string): Promise<Flow | undefined> {
  let found: Flow | undefined;
  const query = { filter: JSON.stringify([{ uuid: [uuid] }]) };
  await new DaemonApi(settings).flows(query, AbortSignal.timeout(MOST_MS), (line) => {
    found ??= readEnvelope(line)?.flow;
  });
  return found;
}

/** For the whole answer of the agent. */
const MOST_MS = 60_000;

async function lookFor(settings: Settings, uuid: string, path: string): Promise<Flow | undefined> {
  const matches = compileFilters([{ uuid: [uuid] }], []);
  for await (const envelope of envelopesOf(settings, path))
    if (envelope.flow !== undefined && matches(envelope)) return envelope.flow;
  return undefined;
}

/** Prints the explanation. @throws Failure when the flow is none that a policy judges */
export async function explainFlow(
  settings: Settings,
  flow: Flow,
  world: PolicyWorld,
  { patch = false }: FlowExplainFlags,
): Promise<void> {
  const judge = new FlowJudge(world);
  const query = queryOfFlow(flow, world);
  const answer = judge.answer(query);
  const patches = patchesFor(judge, query, answer);
  if (patch) return printPatch(settings, patches, answer.verdict);
  const since = sinceOf(judge, query, flow, answer);
  const told = since.map((text) => `since it was recorded: ${text}\n`).join('');
  const how = 'the same as a patch, which --patch prints whole for `sluice apply -f -`:\n';
  await explain(settings, judge, query, {
    document: { flow, since, patch: patches },
    before: `${lineOf(flow)}\n`,
    after: told + (patches.length === 0 ? '' : how + patches.map(({ diff }) => diff).join('')),
  });
}

/** The policies as they would be, for apply. @throws Failure when there is nothing to change, or nothing helps */
async function printPatch(settings: Settings, patches: readonly PatchedPolicy[], verdict: string): Promise<void> {
  if (patches.length === 0)
    throw new Failure(
      verdict === 'allowed'
        ? 'it would be allowed now: there is nothing to change'
        : 'no change that was tried lets it pass',
    );
  const { stringify } = await import('yaml');
  const texts = patches.map(({ after }) => stringify(after, { lineWidth: 0, aliasDuplicateObjects: false }));
  settings.host.stdout.write(texts.join('---\n'));
}

/** As observe shows it. */
function lineOf(flow: Flow): string {
  let text = '';
  const options = {
    output: 'compact',
    colors: PLAIN,
    timeFormat: 'StampMilli',
    nodeName: false,
    policyNames: true,
    ipTranslation: true,
    numeric: false,
  } as const;
  const printer = new FlowPrinter(
    options,
    (part) => (text += part),
    () => undefined,
  );
  printer.write({ flow });
  printer.close();
  return text;
}
