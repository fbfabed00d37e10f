/**
 * Text tables as cilium-dbg and kubectl print them: columns as wide as their widest cell and three spaces, no rules, no
 * trailing blanks. A cell may hold several lines (one label a line); the lines of a row stand beside each other.
 */
import type { Paint } from './color.ts';

/** Blanks between two columns, as in cilium-dbg. */
const PADDING = 3;

export interface Column<Row> {
  /** May hold `\n`, as in `POLICY (ingress)\nENFORCEMENT`. */
  readonly header: string;
  readonly cell: (row: Row) => string | number | undefined;
  /** Colour for a cell, by its text. */
  readonly paint?: (text: string, row: Row) => Paint | undefined;
  /** Shown with -o wide only. */
  readonly isWide?: boolean;
}

interface Cell {
  readonly lines: readonly string[];
  readonly paint: Paint | undefined;
}

/**
 * Draws rows under their headers.
 * @param options.wide show the columns marked isWide; false unless told
 * @param options.headers false leaves the header line out
 * @returns text ending in a newline, '' when there is nothing to print
 */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: Iterable<Row>,
  options: { wide?: boolean; headers?: boolean } = {},
): string {
  const shown = columns.filter((column) => options.wide === true || column.isWide !== true);
  const grid: Cell[][] = [];
  if (options.headers !== false) grid.push(shown.map((column) => cellOf(column.header, undefined)));
  for (const row of rows) {
    grid.push(
      shown.map((column) => {
        const text = String(column.cell(row) ?? '');
        return cellOf(text, column.paint?.(text, row));
      }),
    );
  }
  const widths = shown.map((_, at) => Math.max(0, ...grid.map((cells) => widthOf(cells[at]))));
  return grid.map((cells) => renderRow(cells, widths)).join('');
}

/** Control characters of foreign text (a label, a path) must not reach the terminal: they are shown as \xNN. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  return text.replace(
    /[\x00-\x09\x0b-\x1f\x7f-\x9f]/g,
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

function cellOf(text: string, paint: Paint | undefined): Cell {
  return { lines: printable(text).split('\n'), paint };
}

function widthOf(cell: Cell): number {
  return cell.lines.reduce((widest, line) => Math.max(widest, line.length), 0);
}

function renderRow(cells: readonly Cell[], widths: readonly number[]): string {
  const height = Math.max(...cells.map((cell) => cell.lines.length));
  let text = '';
  for (let line = 0; line < height; line++) {
    let blanks = 0;
    for (let at = 0; at < cells.length; at++) {
      const { lines, paint } = cells[at];
      const part = lines[line] ?? '';
      if (part !== '') {
        text += ' '.repeat(blanks) + (paint === undefined ? part : paint(part));
        blanks = 0;
      }
      blanks += widths[at] - part.length + PADDING;
    }
    text += '\n';
  }
  return text;
}
