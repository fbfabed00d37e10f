/** Flows as files: JSON lines that `sluice observe --input-file` reads, and CSV of the columns that are shown. */
import type { Flow } from '../../hubble/flow.ts';
import { visible } from '../controls/visible.ts';
import type { Column } from './cells.ts';

/** A flow in the envelope that the observer API puts around it, one a line. */
export function jsonLines(flows: readonly Flow[]): string {
  return flows.map((flow) => `${JSON.stringify({ flow, node_name: flow.node_name, time: flow.time })}\n`).join('');
}

/**
 * Lines as RFC 4180 has them. Names are foreign: what a spreadsheet would take for a formula has an apostrophe before it, and what hides is shown.
 */
export function csvLines(flows: readonly Flow[], columns: readonly Column[]): string {
  return flows
    .map((flow) => csvLine(columns.map((column) => (column.name === 'time' ? flow.time : column.text(flow)))))
    .join('');
}

export function csvHead(columns: readonly Column[]): string {
  return csvLine(columns.map(({ title }) => title));
}

function csvLine(cells: readonly string[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`;
}

function csvCell(text: string): string {
  const shown = visible(/^\s*[=+\-@＝＋－＠]/.test(text) ? `'${text}` : text);
  return /[",;\r\n]/.test(shown) ? `"${shown.replaceAll('"', '""')}"` : shown;
}
