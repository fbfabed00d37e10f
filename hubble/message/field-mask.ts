/** Field masks: which fields of a flow a client wants, as paths of original field names (`source.pod_name`). */
import type { DescField, DescMessage } from '@bufbuild/protobuf';
import type { Flow } from '../flow.ts';
import { FlowSchema } from '../proto/flow/flow_pb.ts';

/** What is wanted of each member: all of it, or some of its own. */
type Wanted = Map<string, Wanted | 'all'>;

type Members = Readonly<Record<string, unknown>>;

/** Answers a flow with the wanted fields alone. Those that everybody counts on are then missing as well. */
export type Mask = (flow: Flow) => Partial<Flow>;

/**
 * Compiles a mask. A path that is the beginning of another one covers it.
 * @throws SyntaxError for a path that leads to no field, or through a list
 */
export function compileMask(paths: readonly string[]): Mask {
  const wanted: Wanted = new Map();
  for (const path of paths) add(wanted, path.split('.'), FlowSchema, path);
  return (flow) => project(flow as unknown as Members, wanted);
}

function add(wanted: Wanted, names: readonly string[], schema: DescMessage, path: string): void {
  const [name = '', ...rest] = names;
  const field = schema.fields.find((one) => one.name === name);
  if (field === undefined)
    throw new SyntaxError(`field mask: found "${path}", wanted the path of a field of flow.Flow`);
  const below = rest.length === 0 ? undefined : messageOf(field, path);
  // What google.protobuf has is one value in JSON: a path into it is a path to it.
  if (below === undefined || below.typeName.startsWith('google.protobuf.')) {
    wanted.set(name, 'all');
    return;
  }
  const known = wanted.get(name) ?? new Map<string, Wanted | 'all'>();
  wanted.set(name, known);
  if (known !== 'all') add(known, rest, below, path);
}

function messageOf(field: DescField, path: string): DescMessage {
  if (field.fieldKind === 'message') return field.message;
  throw new SyntaxError(`field mask: found "${path}", wanted a path that goes through single messages`);
}

function project(members: Members, wanted: Wanted): Members {
  const kept: Record<string, unknown> = {};
  for (const name in members) {
    const what = wanted.get(name);
    const member = members[name];
    if (what === undefined || member === undefined) continue;
    kept[name] = what === 'all' ? member : project(member as Members, what);
  }
  return kept;
}
