/** `sluice wait`: until objects have a condition or value, are there, or are gone. */
import { setTimeout as pause } from 'node:timers/promises';
import { DaemonApi } from '../../api/daemon-api.ts';
import type { Manifest } from '../../policy/document/manifest.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import { renderJsonPath } from '../../apiserver/tables/json-path.ts';
import type { Settings } from '../terminal/settings.ts';
import { type Kind, type Named, namedObjects, notFound, withGroup } from './kinds.ts';
import { labelMatcher } from './label-match.ts';
import { withStatus } from './object-columns.ts';
import { rowsOf } from './object-rows.ts';

export interface WaitFlags {
  readonly for: string;
  readonly namespace: string;
  readonly selector?: string;
  readonly all?: boolean;
}

const LOOK_MS = 100;

/** Whether an object is as it is waited for; undefined: it is not there. */
type Test = (object: Manifest | undefined) => boolean;

/** @throws Failure when time is up, or there is nothing to wait for */
export async function waitFor(
  settings: Settings,
  words: readonly string[],
  flags: WaitFlags,
  waitMs: number,
): Promise<void> {
  const test = testOf(flags.for);
  const api = new DaemonApi(settings);
  const deadline = Date.now() + waitMs;
  const done = new Set<string>();
  const named = namedObjects(words);
  // What -l and --all choose is what is there at the beginning.
  let wanted: readonly Wanted[] | undefined;
  for (;;) {
    const found = await find(api, named, flags);
    wanted ??= wantedOf(found, named, flags);
    for (const { kind, name } of wanted) {
      const object = found.find((one) => one.kind === kind && one.name === name)?.object;
      const text = `${withGroup(kind, kind.singular)}/${name}`;
      if (object === undefined && !isAbsenceAsked(flags.for)) throw new Failure(notFound(kind, name));
      if (done.has(text) || !test(object)) continue;
      done.add(text);
      settings.host.stdout.write(`${text} condition met\n`);
    }
    if (done.size === wanted.length) return;
    if (Date.now() > deadline) {
      const left = wanted.map(({ kind, name }) => `${withGroup(kind, kind.singular)}/${name}`);
      const names = left.filter((text) => !done.has(text)).join(', ');
      throw new Failure(`timed out waiting for the condition on ${names}`);
    }
    await pause(LOOK_MS);
  }
}

interface Wanted {
  readonly kind: Kind;
  readonly name: string;
  readonly object?: Manifest;
}

async function find(api: DaemonApi, named: readonly Named[], { namespace }: WaitFlags): Promise<Wanted[]> {
  const found: Wanted[] = [];
  for (const kind of new Set(named.flatMap(({ kinds }) => kinds))) {
    const rows = await rowsOf(api, kind, { namespace, appliedOnly: false });
    for (const row of rows) found.push({ kind, name: row.object.metadata?.name ?? '', object: withStatus(row) });
  }
  return found;
}

function wantedOf(found: readonly Wanted[], named: readonly Named[], flags: WaitFlags): readonly Wanted[] {
  const isChosen = flags.all === true || flags.selector !== undefined;
  if (isChosen === named.some(({ names }) => names.length > 0)) {
    throw new Failure('wait: wanted names, or --all, or -l: one of them', EXIT.USAGE);
  }
  if (!isChosen)
    return named.flatMap(({ kinds, names }) => kinds.flatMap((kind) => names.map((name) => ({ kind, name }))));
  const matches = labelMatcher(flags.selector);
  const chosen = found.filter(({ object = {} }) => matches(object));
  if (chosen.length === 0 && flags.for !== 'delete') throw new Failure('wait: no matching resources found');
  return chosen;
}

function isAbsenceAsked(text: string): boolean {
  return text === 'delete' || text === 'create';
}

/** @throws Failure (usage) for what is no condition */
function testOf(text: string): Test {
  if (text === 'delete') return (object) => object === undefined;
  if (text === 'create') return (object) => object !== undefined;
  const [, name, value = 'true'] = /^condition=([A-Za-z]+)(?:=(.+))?$/.exec(text) ?? [];
  if (name !== undefined) return (object) => conditionOf(object, name) === value.toLowerCase();
  const [, path, expected] = /^jsonpath='?(\{[^}]*\}|[^=]+?)'?(?:=(.*))?$/.exec(text) ?? [];
  if (path === undefined) {
    throw new Failure(
      `--for: found '${text}', wanted condition=NAME, condition=NAME=VALUE, jsonpath={PATH}=VALUE, create or delete`,
      EXIT.USAGE,
    );
  }
  return (object) => {
    const found = renderJsonPath(path, object);
    return expected === undefined ? found !== '' : found === expected;
  };
}

function conditionOf(object: Manifest | undefined, name: string): string | undefined {
  const { conditions = [] } = (object?.['status'] ?? {}) as { conditions?: { type?: string; status?: string }[] };
  return conditions.find(({ type }) => type?.toLowerCase() === name.toLowerCase())?.status?.toLowerCase();
}
