/** Sizes of the client's terminal: `{"Width":80,"Height":24}` one after another, with or without lines between them. */
import type { Readable } from 'node:stream';

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

const TEXT_LIMIT = 1024; // of a size that is not whole yet
const SIDE_LIMIT = 0xffff;

/** Calls back with each size; what is no size is passed over. */
export function readSizes(stream: Readable, onSize: (size: TerminalSize) => void): void {
  let text = '';
  stream.on('data', (bytes: Buffer) => {
    text += bytes.toString('latin1');
    for (let end = text.indexOf('}'); end >= 0; end = text.indexOf('}')) {
      const size = parseSize(text.slice(text.lastIndexOf('{', end), end + 1));
      text = text.slice(end + 1);
      if (size !== undefined) onSize(size);
    }
    text = text.slice(-TEXT_LIMIT);
  });
}

function parseSize(text: string): TerminalSize | undefined {
  try {
    const { Width: columns, Height: rows } = JSON.parse(text) as Record<string, unknown>;
    return isSide(columns) && isSide(rows) ? { columns, rows } : undefined;
  } catch {
    return undefined;
  }
}

const isSide = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) >= 0 && Number(value) <= SIDE_LIMIT;
