/** Options of flows that are written to files; a part of config/schema-hubble.ts. */
import { compileFilter } from '../../hubble/filter/filter.ts';
import type { FlowFilter } from '../../hubble/filter/flow-filter.ts';
import { compileMask } from '../../hubble/message/field-mask.ts';
import type { Option } from './option.ts';

/** Of `hubble`, all present. */
export interface ExportOptions {
  /** '' = none. */
  readonly 'export-file-path': string;
  readonly 'export-file-max-size-mb': number;
  readonly 'export-file-max-backups': number;
  readonly 'export-file-compress': boolean;
  /** Texts of readFlowFilter. */
  readonly 'export-allowlist': readonly string[];
  readonly 'export-denylist': readonly string[];
  readonly 'export-fieldmask': readonly string[];
  /** '' = none. */
  readonly 'flowlogs-config-path': string;
}

export const EXPORT_DEFAULTS = { maxSizeMb: 10, maxBackups: 5 } as const;
export const MAX_EXPORT_SIZE_MB = 1_048_576;
export const MAX_EXPORT_BACKUPS = 1000;

/** Where an export may go. @returns what is wanted of a text that is no such place */
export function exportPathProblem(text: string): string | undefined {
  return text === 'stdout' || text.startsWith('/') ? undefined : 'an absolute path, or stdout';
}

/** Reads a FlowFilter written as JSON. @throws SyntaxError */
export function readFlowFilter(text: string): FlowFilter {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SyntaxError(`found ${text}, wanted a FlowFilter as a JSON object`);
  }
  compileFilter(value);
  return value;
}

function problemOf(read: () => unknown): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    return `another one: ${(error as Error).message}`;
  }
}

const filters = (meaning: string): Option => ({
  type: 'list',
  meaning,
  fallback: [],
  check: (text) => problemOf(() => readFlowFilter(text)),
});

export const EXPORT: Readonly<Record<keyof ExportOptions, Option>> = {
  'export-file-path': {
    type: 'string',
    meaning:
      'file that flows are written to as lines of JSON, or stdout; default: none, see [observability](observability.md#export)',
    fallback: '',
    check: exportPathProblem,
  },
  'export-file-max-size-mb': {
    type: 'integer',
    meaning: 'MiB at which the file is put aside and another begun',
    fallback: EXPORT_DEFAULTS.maxSizeMb,
    min: 1,
    max: MAX_EXPORT_SIZE_MB,
  },
  'export-file-max-backups': {
    type: 'integer',
    meaning: 'files put aside that are kept, 0 = all',
    fallback: EXPORT_DEFAULTS.maxBackups,
    min: 0,
    max: MAX_EXPORT_BACKUPS,
  },
  'export-file-compress': { type: 'boolean', meaning: 'gzip for files put aside', fallback: false },
  'export-allowlist': filters(
    'FlowFilters as JSON, one of which must match: `{"verdict":["DROPPED"]}`; none: all flows',
  ),
  'export-denylist': filters('FlowFilters as JSON, none of which may match'),
  'export-fieldmask': {
    type: 'list',
    meaning: 'fields of flows that are written: `source.pod_name`; none: all',
    fallback: [],
    check: (text) => problemOf(() => compileMask([text])),
  },
  'flowlogs-config-path': {
    type: 'string',
    meaning:
      'YAML file of further exports (flowLogs), read anew when it changes, see [observability](observability.md#export)',
    fallback: '',
    check: (value) => (value.startsWith('/') ? undefined : 'an absolute path'),
  },
};
