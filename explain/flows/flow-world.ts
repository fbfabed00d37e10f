/** The world that recorded flows are judged in: documents, and what the flows themselves tell of pods, namespaces and names. */
import { type Document, readDocuments } from '../../policy/document/document.ts';
import type { PolicyConfig } from '../../policy/rule/options.ts';
import { PolicyWorld, type Surroundings } from '../world.ts';
import type { Recording } from './recording.ts';

/** @param documents policies, and what else of the world is known; they win over what flows say */
export function flowWorld(
  recording: Recording,
  documents: readonly Document[],
  config: PolicyConfig,
  surroundings: Surroundings = {},
): PolicyWorld {
  const names = new Map<string, readonly string[]>([...recording.names].map(([name, all]) => [name, [...all]]));
  for (const [name, addresses] of surroundings.names ?? [])
    names.set(name, [...new Set([...(names.get(name) ?? []), ...addresses])]);
  const known = new Set(documents.filter(({ kind }) => kind === 'Namespace').map(({ name }) => name));
  const namespaces = [...recording.namespaces].flatMap(([name, labels]) =>
    known.has(name) ? [] : namespaceOf(name, labels, config),
  );
  const world = new PolicyWorld([...namespaces, ...documents], config, { ...surroundings, names });
  world.expect(recording.connections().flatMap(({ from, to }) => [from.end, to.end].filter((end) => 'labels' in end)));
  return world;
}

/** None when the flow's labels are none that a namespace can have. */
function namespaceOf(name: string, labels: ReadonlyMap<string, string>, config: PolicyConfig): Document[] {
  const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: Object.fromEntries(labels) } };
  return [...readDocuments(JSON.stringify(object), 'flows', config).documents];
}
