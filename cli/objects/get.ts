/** Objects as `sluice get` lists them: kubectl's tables, documents, templates and columns of one's own; once, or as they change. */
import { setTimeout as pause } from 'node:timers/promises';
import { DaemonApi } from '../../api/daemon-api.ts';
import { type Manifest, referenceOf } from '../../policy/document/manifest.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import { untilInterrupted } from '../terminal/interrupt.ts';
import { renderJsonPath } from '../../apiserver/tables/json-path.ts';
import { printDocument, printListing } from '../terminal/output.ts';
import type { Settings } from '../terminal/settings.ts';
import type { Column } from '../terminal/table.ts';
import { type Kind, KINDS, type Named, notFound, withGroup } from './kinds.ts';
import { labelMatcher } from './label-match.ts';
import { columnsOf, type Row, withStatus } from './object-columns.ts';
import { rowsOf } from './object-rows.ts';

export interface GetOptions {
  /** undefined: all. */
  readonly namespace: string | undefined;
  /** Only objects with these labels. */
  readonly selector: string | undefined;
  /** A JSONPath of what to sort by. */
  readonly sortBy: string | undefined;
  readonly showLabels: boolean;
  readonly ignoreNotFound: boolean;
}

/** The objects of one kind that were asked for. */
interface Found {
  readonly kind: Kind;
  readonly rows: readonly Row[];
  readonly missing: readonly string[];
}

const WATCH_MS = 500;
const CUSTOM = 'custom-columns=';

/** Prints the objects, a table for each kind, as kubectl does; a name that is not there is told and ends with 1. */
export async function getObjects(settings: Settings, named: readonly Named[], options: GetOptions): Promise<void> {
  await show(settings, await find(new DaemonApi(settings), named, options), named, options);
}

async function show(settings: Settings, found: Found[], named: readonly Named[], options: GetOptions): Promise<void> {
  await print(settings, found, named, options);
  for (const { kind, missing } of options.ignoreNotFound ? [] : found) {
    for (const name of missing) settings.host.stderr.write(`${notFound(kind, name)}\n`);
    if (missing.length > 0) settings.host.exitCode = EXIT.FAILED;
  }
}

/** As getObjects(), and then each object that changes, until Ctrl-C. */
export async function watchObjects(settings: Settings, named: readonly Named[], options: GetOptions): Promise<void> {
  const api = new DaemonApi(settings);
  const first = await find(api, named, options);
  await show(settings, first, named, options);
  let before = fingerprints(first);
  await untilInterrupted(async (interrupt) => {
    while (!interrupt.aborted) {
      await pause(WATCH_MS, undefined, { signal: interrupt }).catch(() => undefined);
      if (interrupt.aborted) return;
      const found = await find(api, named, options);
      const now = fingerprints(found);
      const changed = found.map(({ kind, rows, missing }) => {
        const isNew = ({ object }: Row): boolean => now.get(referenceOf(object)) !== before.get(referenceOf(object));
        return { kind, missing, rows: rows.filter(isNew) };
      });
      before = now;
      if (changed.some(({ rows }) => rows.length > 0)) {
        await print({ ...settings, headers: false }, changed, named, options);
      }
    }
  });
}

function fingerprints(found: readonly Found[]): Map<string, string> {
  const rows = found.flatMap((one) => one.rows);
  return new Map(rows.map((row) => [referenceOf(row.object), JSON.stringify(withStatus(row))]));
}

async function find(api: DaemonApi, named: readonly Named[], options: GetOptions): Promise<Found[]> {
  const matches = labelMatcher(options.selector);
  const found: Found[] = [];
  for (const { kinds, names } of named) {
    const appliedOnly = kinds.length >= KINDS.length;
    for (const kind of kinds) {
      const all = await rowsOf(api, kind, { namespace: options.namespace, appliedOnly });
      const isNamed = ({ object }: Row): boolean => names.length === 0 || names.includes(object.metadata?.name ?? '');
      const rows = all.filter((row) => isNamed(row) && matches(row.object));
      const missing = names.filter((name) => !all.some(({ object }) => object.metadata?.name === name));
      found.push({ kind, rows: sorted(rows, options.sortBy), missing });
    }
  }
  return joined(found);
}

/** `pod/a pod/b` is one table. */
function joined(found: readonly Found[]): Found[] {
  const kinds = [...new Set(found.map(({ kind }) => kind))];
  return kinds.map((kind) => {
    const same = found.filter((one) => one.kind === kind);
    return { kind, rows: same.flatMap(({ rows }) => rows), missing: same.flatMap(({ missing }) => missing) };
  });
}

function sorted(rows: readonly Row[], template: string | undefined): readonly Row[] {
  if (template === undefined) return rows;
  const keyed = rows.map((row) => ({ row, key: fill(template, withStatus(row), '--sort-by') }));
  const isNumeric = keyed.every(({ key }) => key !== '' && Number.isFinite(Number(key)));
  keyed.sort((a, b) => (isNumeric ? Number(a.key) - Number(b.key) : a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return keyed.map(({ row }) => row);
}

function fill(template: string, document: unknown, flag: string): string {
  try {
    return renderJsonPath(template, document);
  } catch (error) {
    if (error instanceof SyntaxError) throw new Failure(`${flag}: ${error.message}`, EXIT.USAGE);
    throw error;
  }
}

async function print(settings: Settings, found: Found[], named: readonly Named[], options: GetOptions): Promise<void> {
  const { output } = settings;
  const rows = found.flatMap((one) => one.rows);
  if (output === 'json' || output === 'yaml' || output.startsWith('jsonpath=')) {
    const isSingle = named.length === 1 && named[0].kinds.length === 1 && named[0].names.length === 1;
    if (isSingle && rows.length === 0) return;
    const items = rows.map(withStatus);
    return printDocument(
      settings,
      isSingle && items.length === 1 ? items[0] : { apiVersion: 'v1', kind: 'List', items },
    );
  }
  if (output.startsWith(CUSTOM)) {
    const columns = customColumns(output.slice(CUSTOM.length));
    return printListing({ ...settings, output: 'table' }, { columns, rows: rows.map(withStatus) });
  }
  return printTables(settings, found, options);
}

/** `NAME:.metadata.name,IP:.status.podIP` */
function customColumns(text: string): Column<Manifest>[] {
  // A comma inside a filter or a union belongs to its path.
  const parts = text.match(/(?:\[[^\]]*\]|[^,[])+/g) ?? [];
  return parts.map((part) => {
    const colon = part.indexOf(':');
    if (colon < 1 || colon === part.length - 1) {
      throw new Failure(
        `-o custom-columns: found '${part}', wanted HEADER:PATH, as in NAME:.metadata.name`,
        EXIT.USAGE,
      );
    }
    const template = part.slice(colon + 1);
    return {
      header: part.slice(0, colon),
      cell: (object) => fill(template, object, '-o custom-columns') || '<none>',
    };
  });
}

async function printTables(settings: Settings, found: readonly Found[], options: GetOptions): Promise<void> {
  const { host, output, paint } = settings;
  const shown = found.filter(({ rows }) => rows.length > 0);
  for (const [at, { kind, rows }] of shown.entries()) {
    if (at > 0 && output !== 'name') host.stdout.write('\n');
    await printListing(settings, {
      columns: columnsOf(kind, paint, {
        showNamespace: options.namespace === undefined,
        showKind: found.length > 1,
        showLabels: options.showLabels,
      }),
      rows,
      nameOf: ({ object }) => `${withGroup(kind, kind.singular)}/${object.metadata?.name}`,
    });
  }
  if (shown.length > 0 || found.some(({ missing }) => missing.length > 0)) return;
  const isEverywhere = options.namespace === undefined || !found.some(({ kind }) => kind.isNamespaced);
  host.stderr.write(`No resources found${isEverywhere ? '' : ` in ${options.namespace} namespace`}\n`);
}
