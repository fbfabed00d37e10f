/** Changes to policies as a person would make them in the files, and the documents that follow. */
import { stepsOf } from '../policy/document/document-path.ts';
import type { Document } from '../policy/document/document.ts';
import { placedObject, readPlaced } from '../policy/document/placed.ts';
import type { PolicyOptions } from '../policy/rule/options.ts';
import { hasErrors } from '../policy/rule/problems.ts';
import { type Origin, policyName } from '../policy/rule/rule.ts';

export type Change =
  /** One more item in a list of a policy, which need not have the list yet. */
  | { readonly kind: 'add'; readonly origin: Origin; readonly path: string; readonly item: unknown }
  /** Rules that say nothing from now on; they stay, so that they close what they closed. */
  | { readonly kind: 'empty'; readonly origins: readonly Origin[] }
  | { readonly kind: 'create'; readonly object: object; readonly beside: string };

/** The documents after a change; undefined when a policy would no longer be valid. */
export function changed(
  documents: readonly Document[],
  change: Change,
  options: PolicyOptions,
): readonly Document[] | undefined {
  if (change.kind === 'create') {
    const created = reread(change.object, options);
    const isTaken = documents.some(
      ({ kind, namespace, name }) => created?.kind === kind && created.namespace === namespace && created.name === name,
    );
    return created === undefined || isTaken ? undefined : [...documents, created];
  }
  const origins = change.kind === 'add' ? [change.origin] : change.origins;
  const result: Document[] = [];
  for (const document of documents) {
    const { policy } = document;
    const own = policy === undefined ? [] : origins.filter((origin) => policyName(origin) === policyName(policy));
    if (own.length === 0) {
      result.push(document);
      continue;
    }
    const object = structuredClone(document.object);
    if (change.kind === 'add') append(object, change.path, change.item);
    else for (const { path } of own) put(object, path, {});
    const next = reread(object, options, document);
    if (next === undefined) return undefined;
    result.push(next);
  }
  return result;
}

/** The object as the reader has it, in its old place. */
function reread(object: Document['object'], options: PolicyOptions, from?: Document): Document | undefined {
  const places = from === undefined ? { file: 'proposal', line: 1, lines: {} } : placedObject(from);
  const { documents, problems } = readPlaced({ ...places, object }, options);
  return hasErrors(problems) ? undefined : documents[0];
}

type Node = Record<string, unknown>;

function append(object: object, path: string, item: unknown): void {
  const keys = stepsOf(path);
  const last = keys.pop() as string;
  let node = object as Node;
  for (const key of keys) node = (node[key] ??= {}) as Node;
  const list = node[last];
  node[last] = Array.isArray(list) ? [...(list as unknown[]), item] : [item];
}

function put(object: object, path: string, value: unknown): void {
  const keys = stepsOf(path);
  const last = keys.pop() as string;
  let node = object as Node;
  for (const key of keys) node = node[key] as Node;
  node[last] = value;
}
