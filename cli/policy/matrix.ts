/** `sluice policy matrix`: who can reach whom on which port, as table, CSV, HTML or document. */
import {
  type Cell,
  type Matrix,
  type MatrixOptions,
  matrixOf,
  matrixRows,
  type Target,
} from '../../explain/matrix/matrix.ts';
import { UnknownEndError } from '../../explain/verdict.ts';
import type { PolicyWorld } from '../../explain/world.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import { printDocument } from '../terminal/output.ts';
import type { Settings } from '../terminal/settings.ts';
import { printable, renderTable } from '../terminal/table.ts';

/** Prints the matrix as table, csv, html or a document. */
export async function showMatrix(settings: Settings, world: PolicyWorld, options: MatrixOptions): Promise<void> {
  const matrix = made(world, options);
  const { output, host } = settings;
  for (const note of matrix.notes) host.stderr.write(`note: ${printable(note)}\n`);
  if (output === 'csv') host.stdout.write(csv(matrix));
  else if (output === 'html') host.stdout.write(html(matrix));
  else if (output === 'table') host.stdout.write(table(settings, matrix));
  else await printDocument(settings, matrixRows(matrix));
}

function made(world: PolicyWorld, options: MatrixOptions): Matrix {
  try {
    return matrixOf(world, options);
  } catch (error) {
    if (error instanceof UnknownEndError) throw new Failure(error.message);
    if (error instanceof SyntaxError) throw new Failure(error.message, EXIT.USAGE);
    throw error;
  }
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
