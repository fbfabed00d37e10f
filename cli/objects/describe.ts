/** `sluice describe`: an object with what is known of it here, for people. */
import { DaemonApi } from '../../api/daemon-api.ts';
import { EXIT } from '../terminal/failure.ts';
import type { Settings } from '../terminal/settings.ts';
import { printable } from '../terminal/table.ts';
import { namedObjects, notFound } from './kinds.ts';
import { labelMatcher } from './label-match.ts';
import { columnsOf, type Row } from './object-columns.ts';
import { rowsOf } from './object-rows.ts';

export interface DescribeFlags {
  readonly namespace: string;
  readonly allNamespaces?: boolean;
  readonly selector?: string;
}

const WIDTH = 16;

/** Prints each object; a name that is not there is told and ends with 1. */
export async function describe(settings: Settings, words: readonly string[], flags: DescribeFlags): Promise<void> {
  const { host, paint } = settings;
  const { stringify } = await import('yaml');
  const api = new DaemonApi(settings);
  const matches = labelMatcher(flags.selector);
  const texts: string[] = [];
  for (const { kinds, names } of namedObjects(words)) {
    for (const kind of kinds) {
      const namespace = flags.allNamespaces === true ? undefined : flags.namespace;
      const all = (await rowsOf(api, kind, { namespace, appliedOnly: false })).filter(({ object }) => matches(object));
      const rows = all.filter(({ object }) => names.length === 0 || names.includes(object.metadata?.name ?? ''));
      const columns = columnsOf(kind, paint, { showNamespace: true, showKind: false, showLabels: false });
      const facts = columns.filter(({ header }) => header !== 'LABELS' && header !== 'AGE' && header !== 'NAME');
      for (const row of rows) {
        const lines = [line('Name', row.object.metadata?.name ?? '')];
        for (const { header, cell } of facts) lines.push(line(titled(header), String(cell(row) ?? '<none>')));
        lines.push(...commonLines(row));
        const { spec, specs } = row.object as { spec?: unknown; specs?: unknown };
        if (spec !== undefined || specs !== undefined) {
          lines.push(
            'Spec:',
            ...stringify(spec ?? specs, { lineWidth: 0 })
              .trimEnd()
              .split('\n')
              .map((one) => `  ${one}`),
          );
        }
        texts.push(`${lines.map(printable).join('\n')}\n`);
      }
      for (const name of names.filter((one) => !rows.some(({ object }) => object.metadata?.name === one))) {
        host.stderr.write(`${notFound(kind, name)}\n`);
        host.exitCode = EXIT.FAILED;
      }
    }
  }
  host.stdout.write(texts.join('\n'));
}

function titled(header: string): string {
  return header.length <= 4 ? header : header[0] + header.slice(1).toLowerCase();
}

function line(name: string, value: string): string {
  return `${`${name}:`.padEnd(WIDTH)} ${value.split('\n').join(`\n${' '.repeat(WIDTH + 1)}`)}`;
}

function commonLines({ object, endpoint }: Row): string[] {
  const { labels = {}, annotations = {}, creationTimestamp = '<unknown>' } = object.metadata ?? {};
  const pairs = (fields: Readonly<Record<string, string>>): string =>
    Object.entries(fields)
      .map(([key, value]) => `${key}=${value}`)
      .join('\n') || '<none>';
  const lines = [
    line('Labels', pairs(labels)),
    line('Annotations', pairs(annotations)),
    line('Created', creationTimestamp),
  ];
  if (endpoint === undefined) return lines;
  lines.push(line('Policy', `ingress ${endpoint.policy.ingress}, egress ${endpoint.policy.egress}`));
  if (endpoint.problem !== undefined) lines.push(line('Problem', endpoint.problem));
  return lines;
}
