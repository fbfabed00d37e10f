/**
 * `sluice policy matrix`: who can reach whom on which port.
 *
 * Rows are sources, columns destinations with a port; both ends are judged. A cell is `allow`, `l7` (allowed as far as the
 * request is), `deny`, or `mixed` where the pods of a group differ. Which ends and ports there are: matrix-ends.ts, matrix-ports.ts.
 */
import { protocolName } from '../../wire/protocols.ts';
import { counted } from '../terminal/counted.ts';
import { Failure } from '../terminal/failure.ts';
import { printDocument } from '../terminal/output.ts';
import type { Settings } from '../terminal/settings.ts';
import { printable, renderTable } from '../terminal/table.ts';
import { endFrom } from '../../explain/end.ts';
import { readQuery } from '../../explain/query.ts';
import { FlowJudge } from '../../explain/verdict.ts';
import type { PolicyWorld } from '../../explain/world.ts';
import { endsOf, type MatrixEnd, podCount, readGroupBy } from './matrix-ends.ts';
import { containerPorts, distinctPorts, type Port, readPort, rulePorts } from './matrix-ports.ts';

type Cell = 'allow' | 'l7' | 'deny' | 'mixed';

export interface MatrixOptions {
  /** `80`, `80/TCP`, `53/UDP`; container ports when empty. */
  readonly port?: readonly string[];
  readonly namespace?: string;
  /** Entities to add at both ends. */
  readonly entity?: readonly string[];
  /** Only these rows: pods, workloads, labels, entities, addresses. */
  readonly from?: readonly string[];
  /** Only these columns. */
  readonly to?: readonly string[];
  readonly by?: string;
}

interface Target {
  readonly end: MatrixEnd;
  readonly port: Port;
}

interface Matrix {
  readonly sources: readonly MatrixEnd[];
  readonly targets: readonly Target[];
  readonly cells: readonly (readonly Cell[])[];
  /** What a reader must know besides. */
  readonly notes: readonly string[];
}

/** Prints the matrix as table, csv, html or a document. */
export async function showMatrix(settings: Settings, world: PolicyWorld, options: MatrixOptions): Promise<void> {
  const matrix = matrixOf(world, options);
  const { output, host } = settings;
  for (const note of matrix.notes) host.stderr.write(`note: ${printable(note)}\n`);
  if (output === 'csv') host.stdout.write(csv(matrix));
  else if (output === 'html') host.stdout.write(html(matrix));
  else if (output === 'table') host.stdout.write(table(settings, matrix));
  else await printDocument(settings, rowsOf(matrix));
}

function matrixOf(world: PolicyWorld, options: MatrixOptions): Matrix {
  const judge = new FlowJudge(world);
  const { namespace, entity = ['world'], from, to } = options;
  const given = (options.port ?? []).map(readPort);
  const rows = { words: from, entities: entity, namespace };
  // Without ports of its own to show, an entity is a column only when asked for.
  const columns = { words: to, entities: given.length > 0 ? entity : [], namespace };
  const pods = Math.max(podCount(world, rows), podCount(world, columns));
  const by = readGroupBy(options.by, pods);
  const notes: string[] = [];
  if (options.by === undefined && by !== 'pod') {
    notes.push(
      `${counted(pods, 'pod')} shown by workload: \`--by pod\` shows each, \`--from\` and \`--to\` choose some`,
    );
  }
  const sources = endsOf(world, { ...rows, by });
  const targets = targetsOf(world, { ends: endsOf(world, { ...columns, by }), given, sources, notes });
  const cells = sources.map((source) => targets.map((target) => judgeCell(judge, source, target)));
  return { sources, targets, cells, notes };
}

interface Columns {
  readonly ends: readonly MatrixEnd[];
  readonly given: readonly Port[];
  readonly sources: readonly MatrixEnd[];
  readonly notes: string[];
}

function targetsOf(world: PolicyWorld, { ends, given, sources, notes }: Columns): Target[] {
  const own = containerPorts(world);
  const undeclared: string[] = [];
  const targets = ends.flatMap((end) => {
    const declared = distinctPorts(end.classes.flat().flatMap((reference) => own.get(reference) ?? []));
    let ports = given.length > 0 ? given : declared;
    if (ports.length === 0) {
      const found = rulePorts(world, end, sources);
      ports = found.ports;
      if (end.isPod)
        undeclared.push(found.more > 0 ? `${end.name} (${found.more} more of its ports are named)` : end.name);
    }
    return ports.map((port) => ({ end, port }));
  });
  if (undeclared.length > 0) {
    const shown = undeclared.slice(0, MAX_NAMED).join(', ');
    const rest = undeclared.length > MAX_NAMED ? ` and ${undeclared.length - MAX_NAMED} more` : '';
    notes.push(
      `no container port is declared by ${shown}${rest}: shown are the ports that rules name, and the others; \`--port\` chooses`,
    );
  }
  return targets;
}

/** Names that a note has. */
const MAX_NAMED = 5;

/** A pod of each identity of the source to one of each of the target; to itself only where there is no other. */
function judgeCell(judge: FlowJudge, source: MatrixEnd, { end, port }: Target): Cell {
  const pairs = source.classes.flatMap(([from]) => end.classes.map((same) => [from, same[same.length - 1]] as const));
  const others = pairs.filter(([from, to]) => from !== to);
  const cells = new Set((others.length > 0 ? others : pairs).map(([from, to]) => judgeFlow(judge, from, to, port)));
  const [first] = cells;
  return cells.size === 1 ? first : 'mixed';
}

function judgeFlow(judge: FlowJudge, source: string, target: string, { port, protocol }: Port): Cell {
  const query = readQuery({ from: endFrom(source), to: endFrom(target), port, protocol: protocolName(protocol) });
  const { verdict, egress, ingress, error } = judge.answer(query);
  if (verdict === 'error') throw new Failure(`${source} to ${target}: ${error ?? 'no answer'}`);
  if (verdict !== 'allowed') return 'deny';
  return egress?.verdict === 'redirected' || ingress?.verdict === 'redirected' ? 'l7' : 'allow';
}

function rowsOf({ sources, targets, cells }: Matrix): unknown {
  return sources.flatMap((source, row) =>
    targets.map(({ end, port }, column) => {
      const [number, protocol] = port.text.split('/');
      const shown = /^\d+$/.test(number) ? Number(number) : number;
      return { from: source.name, to: end.name, port: shown, protocol, verdict: cells[row][column] };
    }),
  );
}

function table({ paint, headers }: Settings, { sources, targets, cells }: Matrix): string {
  const colors = { allow: paint.green, l7: paint.yellow, deny: paint.red, mixed: paint.yellow };
  const columns = targets.map(({ end, port }, column) => ({
    header: `${end.name}\n${port.text}`,
    cell: (row: number) => cells[row][column],
    paint: (text: string) => colors[text as Cell],
  }));
  return renderTable([{ header: 'FROM', cell: (row: number) => sources[row].name }, ...columns], sources.keys(), {
    headers,
  });
}

const nameOf = ({ end, port }: Target): string => `${end.name}:${port.text}`;

function csv({ sources, targets, cells }: Matrix): string {
  const lines = sources.map(({ name }, row) => [quoted(name), ...cells[row]].join(','));
  return `${['from', ...targets.map((target) => quoted(nameOf(target)))].join(',')}\n${lines.map((line) => `${line}\n`).join('')}`;
}

function quoted(text: string): string {
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const STYLE = `body { font: 14px sans-serif } table { border-collapse: collapse } th, td { border: 1px solid #ccc; padding: 4px 8px }
th { text-align: left } td { text-align: center } .allow { background: #c8e6c9 } .l7, .mixed { background: #fff3c4 } .deny { background: #ffcdd2 }`;

function html({ sources, targets, cells }: Matrix): string {
  const head = ['from', ...targets.map(nameOf)].map((text) => `<th>${escapeHtml(text)}</th>`).join('');
  const body = sources.map((source, row) => {
    const marked = cells[row].map((cell) => `<td class="${cell}">${cell}</td>`).join('');
    return `<tr><th>${escapeHtml(source.name)}</th>${marked}</tr>`;
  });
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Who can reach whom</title><style>
${STYLE}
</style>
<table>
<thead><tr>${head}</tr></thead>
<tbody>
${body.join('\n')}
</tbody>
</table>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
