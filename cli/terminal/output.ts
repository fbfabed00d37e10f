/** One answer in the format asked for: a table, JSON, YAML, a JSONPath template, or names only. */
import { EXIT, Failure } from './failure.ts';
import { renderJsonPath } from '../../apiserver/tables/json-path.ts';
import type { Settings } from './settings.ts';
import { type Column, renderTable } from './table.ts';

export interface Listing<Row> {
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  /** What -o json|yaml|jsonpath shows; the rows unless told. */
  readonly document?: unknown;
  /** What -o name prints for a row; without it -o name is refused. */
  readonly nameOf?: (row: Row) => string;
}

/**
 * Prints a listing in the format of the settings.
 * @throws Failure (usage) for a format that this listing has not
 */
export async function printListing<Row>(settings: Settings, listing: Listing<Row>): Promise<void> {
  const { output } = settings;
  if (output === 'table' || output === 'wide') {
    const text = renderTable(listing.columns, listing.rows, { wide: output === 'wide', headers: settings.headers });
    settings.host.stdout.write(text);
  } else if (output === 'name') {
    if (listing.nameOf === undefined) throw new Failure('-o name: this list has no names: use -o json', EXIT.USAGE);
    settings.host.stdout.write(listing.rows.map((row) => `${listing.nameOf?.(row)}\n`).join(''));
  } else {
    await printDocument(settings, listing.document ?? listing.rows);
  }
}

/**
 * Prints one document as JSON unless the settings ask for YAML or a template.
 * @throws Failure (usage) when the template cannot be read
 */
export async function printDocument(settings: Settings, document: unknown): Promise<void> {
  const { output, host } = settings;
  if (output === 'yaml') {
    const { stringify } = await import('yaml');
    host.stdout.write(stringify(document, { lineWidth: 0, aliasDuplicateObjects: false }));
  } else if (output.startsWith('jsonpath=')) {
    try {
      host.stdout.write(`${renderJsonPath(output.slice('jsonpath='.length), document)}\n`);
    } catch (error) {
      if (error instanceof SyntaxError) throw new Failure(error.message, EXIT.USAGE);
      throw error;
    }
  } else {
    host.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
  }
}
