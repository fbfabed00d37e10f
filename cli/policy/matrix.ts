/**
 * `sluice policy matrix`: who can reach whom on which port.
 *
 * Rows are sources, columns destinations with a port; both ends are judged. A cell is `allow`, `l7` (allowed as far as the
 * request is), or `deny`. Ports are those given, else the container ports of each destination.
 */
import { protocolName, protocolNumbers } from '../../wire/protocols.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import { printDocument } from '../terminal/output.ts';
import type { Settings } from '../terminal/settings.ts';
import { renderTable } from '../terminal/table.ts';
import { endFrom } from '../../explain/end.ts';
import { readQuery } from '../../explain/query.ts';
import { FlowJudge } from '../../explain/verdict.ts';
import type { PolicyWorld } from '../../explain/world.ts';

type Cell = 'allow' | 'l7' | 'deny';

export interface MatrixOptions {
  /** `80`, `80/TCP`, `53/UDP`; container ports when empty. */
  readonly port?: readonly string[];
  readonly namespace?: string;
  /** Entities to add at both ends. */
  readonly entity?: readonly string[];
}

interface Port {
  readonly port: number;
  readonly protocol: number;
}

interface Target extends Port {
  readonly end: string;
}

interface Matrix {
  readonly sources: readonly string[];
  readonly targets: readonly Target[];
  readonly cells: readonly (readonly Cell[])[];
}

/** Prints the matrix as table, csv, html or a document. */
export async function showMatrix(settings: Settings, world: PolicyWorld, options: MatrixOptions): Promise<void> {
  const matrix = matrixOf(world, options);
  const { output, host } = settings;
  if (output === 'csv') host.stdout.write(csv(matrix));
  else if (output === 'html') host.stdout.write(html(matrix));
  else if (output === 'table') host.stdout.write(table(settings, matrix));
  else await printDocument(settings, rowsOf(matrix));
}

function matrixOf(world: PolicyWorld, options: MatrixOptions): Matrix {
  const judge = new FlowJudge(world);
  const pods = [...world.pods()].filter(
    ([, { spec }]) => options.namespace === undefined || spec.namespace === options.namespace,
  );
  const entities = options.entity ?? ['world'];
  const given = (options.port ?? []).map(readPort);
  const own = containerPorts(world);
  const targets = pods.flatMap(([reference]) => {
    return (given.length > 0 ? given : (own.get(reference) ?? [])).map((port) => ({ end: reference, ...port }));
  });
  if (given.length > 0) targets.push(...entities.flatMap((end) => given.map((port) => ({ end, ...port }))));
  const sources = [...pods.map(([reference]) => reference), ...entities];
  return {
    sources,
    targets,
    cells: sources.map((source) => targets.map((target) => judgeCell(judge, source, target))),
  };
}

/** By `namespace/pod`. */
function containerPorts({ documents }: PolicyWorld): Map<string, Port[]> {
  const ports = new Map<string, Port[]>();
  for (const { kind, namespace, name, object } of documents) {
    if (kind !== 'Pod') continue;
    const { containers = [] } = (object['spec'] ?? {}) as { containers?: readonly ContainerSpec[] };
    const found = containers
      .flatMap((container) => container.ports ?? [])
      .map(({ containerPort, protocol = 'TCP' }) => ({ port: containerPort, protocol: protocolNumbers(protocol)[0] }));
    ports.set(`${namespace}/${name}`, found);
  }
  return ports;
}

interface ContainerSpec {
  readonly ports?: readonly { readonly containerPort: number; readonly protocol?: string }[];
}

function judgeCell(judge: FlowJudge, source: string, { end, port, protocol }: Target): Cell {
  const query = readQuery({ from: endFrom(source), to: endFrom(end), port, protocol: protocolName(protocol) });
  const { verdict, egress, ingress, error } = judge.answer(query);
  if (verdict === 'error') throw new Failure(`${source} to ${end}: ${error ?? 'no answer'}`);
  if (verdict !== 'allowed') return 'deny';
  return egress?.verdict === 'redirected' || ingress?.verdict === 'redirected' ? 'l7' : 'allow';
}

function readPort(text: string): Port {
  const [, port, name = 'TCP'] = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/i.exec(text) ?? [];
  if (port === undefined || Number(port) > 65535) {
    throw new Failure(`found port '${text}', wanted a number, or 53/UDP`, EXIT.USAGE);
  }
  return { port: Number(port), protocol: protocolNumbers(name.toUpperCase())[0] };
}

function targetName({ end, port, protocol }: Target): string {
  return `${end}:${port}/${protocolName(protocol)}`;
}

function rowsOf({ sources, targets, cells }: Matrix): unknown {
  return sources.flatMap((source, row) =>
    targets.map(({ end, port, protocol }, column) => {
      return { from: source, to: end, port, protocol: protocolName(protocol), verdict: cells[row][column] };
    }),
  );
}

function table({ paint, headers }: Settings, { sources, targets, cells }: Matrix): string {
  const colors = { allow: paint.green, l7: paint.yellow, deny: paint.red };
  const columns = targets.map((target, column) => ({
    header: targetName(target).replace(/:(?=\d+\/)/, '\n'),
    cell: (row: number) => cells[row][column],
    paint: (text: string) => colors[text as Cell],
  }));
  return renderTable([{ header: 'FROM', cell: (row: number) => sources[row] }, ...columns], sources.keys(), {
    headers,
  });
}

function csv({ sources, targets, cells }: Matrix): string {
  const lines = sources.map((source, row) => [source, ...cells[row]].join(','));
  return `${['from', ...targets.map(targetName)].join(',')}\n${lines.map((line) => `${line}\n`).join('')}`;
}

const STYLE = `body { font: 14px sans-serif } table { border-collapse: collapse } th, td { border: 1px solid #ccc; padding: 4px 8px }
th { text-align: left } td { text-align: center } .allow { background: #c8e6c9 } .l7 { background: #fff3c4 } .deny { background: #ffcdd2 }`;

function html({ sources, targets, cells }: Matrix): string {
  const head = ['from', ...targets.map(targetName)].map((text) => `<th>${escapeHtml(text)}</th>`).join('');
  const body = sources.map((source, row) => {
    const marked = cells[row].map((cell) => `<td class="${cell}">${cell}</td>`).join('');
    return `<tr><th>${escapeHtml(source)}</th>${marked}</tr>`;
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
