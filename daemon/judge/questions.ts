/**
 * The questions that the page puts to the judge, each with what it may say. Common to most of them are policies that are laid over those of
 * the agent: `manifests`, a text, and `remove`, names. What comes back has the shapes that `sluice policy ... -o json` prints.
 */
import { EGRESS, INGRESS } from '../../wire/direction.ts';
import { explanationOf, patchesFor, sinceOf } from '../../explain/explanation.ts';
import { flowQuery } from '../../explain/flows/flow-query.ts';
import { flowWorld } from '../../explain/flows/flow-world.ts';
import { replay } from '../../explain/flows/replay.ts';
import { connectionDocument, replayDocument } from '../../explain/flows/replay-document.ts';
import { generate, type GenerateOptions } from '../../explain/generate/generate.ts';
import type { JudgeAnswers } from '../../explain/judge-answers.ts';
import { lint } from '../../explain/lint.ts';
import { matrixOf, matrixRows } from '../../explain/matrix/matrix.ts';
import { overlaid } from '../../explain/overlay.ts';
import { readQuery } from '../../explain/query.ts';
import { selectedBy, selectorRows } from '../../explain/selectors.ts';
import { validationOf } from '../../explain/validation.ts';
import { FlowJudge, UnknownEndError } from '../../explain/verdict.ts';
import { PolicyWorld } from '../../explain/world.ts';
import { readEnvelope } from '../../hubble/decode/read-envelope.ts';
import type { Document } from '../../policy/document/document.ts';
import { hasErrors, type Problem } from '../../policy/rule/problems.ts';
import { readTried } from '../../policy/trial.ts';
import { Asked } from './asked.ts';
import type { Live, LiveAgent, LiveFlows } from './live.ts';

/** Manifests of a question that cannot be used. */
export class InvalidManifests extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const [first] = problems.filter(({ severity }) => severity === 'error');
    super(`the manifests are invalid: ${first?.message ?? 'no reason given'}`);
    this.problems = problems;
  }
}

export type Question = keyof JudgeAnswers;
type Ask<Q extends Question> = (agent: LiveAgent, body: string) => Promise<JudgeAnswers[Q]>;

const OVERLAY = ['manifests', 'file', 'remove'];
const MOMENTS = ['since', 'until', 'filter', 'deny'];

export const QUESTIONS: { readonly [Q in Question]: Ask<Q> } = {
  explain: async (agent, body) => {
    const asked = new Asked(body, ['flow', 'query', ...OVERLAY]);
    const { world } = overlay(await agent.world(), asked);
    const judge = new FlowJudge(world);
    const given = asked.value('flow');
    const flow = given === undefined ? undefined : readEnvelope(given)?.flow;
    if (given !== undefined && flow === undefined)
      throw new SyntaxError('read question: flow: found none, wanted a flow as JSON');
    const query = flow === undefined ? readQuery(asked.value('query')) : flowQuery(flow, world);
    const answer = judge.answer(query);
    if (answer.verdict === 'error') throw new UnknownEndError(answer.error ?? 'no answer');
    const explanation = explanationOf(judge, query, answer);
    const patch = patchesFor(judge, query, answer);
    if (flow === undefined) return { ...explanation, patch };
    return { ...explanation, flow, since: sinceOf(judge, query, flow, answer), patch };
  },

  validate: async (agent, body) => {
    const asked = new Asked(body, OVERLAY);
    const live = await agent.world();
    const { file, documents, problems } = manifestsOf(live, asked);
    const world = new PolicyWorld(
      overlaid(live.documents, documents, asked.names('remove')),
      live.told.options,
      live.told,
    );
    // What is said of others is not about this text.
    const together = [...world.conflicts, ...lint(world)].filter((one) => one.file === file);
    const all = [...problems, ...together];
    return validationOf(documents, all, !hasErrors(all));
  },

  replay: async (agent, body) => {
    const asked = new Asked(body, [...OVERLAY, ...MOMENTS]);
    const live = await agent.world();
    const { recording, isCut } = await flowsOf(agent, asked);
    const judgeOf = (documents: readonly Document[]): FlowJudge =>
      new FlowJudge(flowWorld(recording, documents, live.told.options, live.told));
    const after = overlaid(live.documents, valid(live, asked), asked.names('remove'));
    return { ...replayDocument(recording, replay(recording, judgeOf(after), judgeOf(live.documents))), isCut };
  },

  generate: async (agent, body) => {
    const modes = ['kind', 'byWorkload', 'ports', 'l7', 'outside', 'includeDenied', 'namespaces', 'direction'];
    const asked = new Asked(body, [...MOMENTS, ...modes]);
    const live = await agent.world();
    const { recording, isCut } = await flowsOf(agent, asked);
    const known = live.documents.filter(({ kind }) => kind === 'Namespace' || kind === 'Node');
    const made = generate(recording, generateOptions(asked), live.told.options, known);
    return {
      yaml: made.text,
      policies: made.policies.map(({ object }) => object),
      proof: { flows: made.flows, connections: made.connections, denied: made.denied.map(connectionDocument) },
      left: Object.fromEntries([...recording.silent, ...made.left]),
      problems: made.problems,
      isCut,
    };
  },

  matrix: async (agent, body) => {
    const asked = new Asked(body, ['from', 'to', 'port', 'entity', 'namespace', 'by', ...OVERLAY]);
    const { world } = overlay(await agent.world(), asked);
    const lists = { from: asked.texts('from'), to: asked.texts('to'), port: asked.texts('port') };
    const others = { entity: asked.texts('entity'), namespace: asked.text('namespace'), by: asked.text('by') };
    const matrix = matrixOf(world, { ...lists, ...others });
    return { rows: matrixRows(matrix), notes: matrix.notes };
  },

  lint: async (agent, body) => {
    const { world } = overlay(await agent.world(), new Asked(body, OVERLAY));
    return { problems: [...world.conflicts, ...lint(world)] };
  },

  selected: async (agent, body) => {
    const { world } = overlay(await agent.world(), new Asked(body, OVERLAY));
    return { policies: selectedBy(world), selectors: selectorRows(world) };
  },
};

/** The agent's world, or one with other policies. @throws InvalidManifests */
function overlay(live: Live, asked: Asked): { readonly world: PolicyWorld } {
  const removed = asked.names('remove');
  if (asked.text('manifests') === undefined && removed.length === 0) return live;
  const documents = overlaid(live.documents, valid(live, asked), removed);
  return { world: new PolicyWorld(documents, live.told.options, live.told) };
}

interface Manifests {
  readonly file: string;
  readonly documents: readonly Document[];
  readonly problems: readonly Problem[];
}

function manifestsOf({ told }: Live, asked: Asked): Manifests {
  const file = asked.text('file') ?? 'manifests';
  const { documents, problems } = readTried(asked.text('manifests') ?? '', file, told.options);
  return { file, documents, problems };
}

/** A policy that is left out may be the one that denies. @throws InvalidManifests */
function valid(live: Live, asked: Asked): readonly Document[] {
  const { documents, problems } = manifestsOf(live, asked);
  if (hasErrors(problems)) throw new InvalidManifests(problems);
  return documents;
}

function flowsOf(agent: LiveAgent, asked: Asked): Promise<LiveFlows> {
  const json = (name: string): string | undefined => {
    const value = asked.value(name);
    return value === undefined ? undefined : JSON.stringify(value);
  };
  const moments = { since: asked.text('since') ?? '1h', until: asked.text('until') };
  return agent.flows({ ...moments, filter: json('filter'), deny: json('deny') });
}

function generateOptions(asked: Asked): GenerateOptions {
  const direction = asked.word('direction', ['both', 'ingress', 'egress']);
  return {
    kind: asked.word('kind', ['CiliumNetworkPolicy', 'NetworkPolicy']),
    byWorkload: asked.flag('byWorkload'),
    ports: asked.word('ports', ['exact', 'ranges', 'any']),
    l7: asked.word('l7', ['exact', 'general', 'off']),
    outside: asked.word('outside', ['names', 'addresses', 'world']),
    includeDenied: asked.flag('includeDenied'),
    namespaces: asked.texts('namespaces') ?? [],
    directions: direction === 'both' ? [INGRESS, EGRESS] : [direction === 'egress' ? EGRESS : INGRESS],
  };
}
