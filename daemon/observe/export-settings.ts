/** What is exported where: of the configuration, and of the file of flowLogs, which has Cilium's shape. */
import type { FlowFilter } from '../../hubble/filter/flow-filter.ts';
import { compileMask } from '../../hubble/message/field-mask.ts';
import { any, boolean, integer, list, object, strictString } from '../../policy/document/shape.ts';
import { readYaml } from '../../policy/document/yaml.ts';
import type { Reader } from '../../policy/document/reader.ts';
import { formatProblem } from '../../policy/rule/problems.ts';
import type { Config } from '../config/config.ts';
import {
  EXPORT_DEFAULTS,
  exportPathProblem,
  MAX_EXPORT_BACKUPS,
  MAX_EXPORT_SIZE_MB,
  readFlowFilter,
} from '../config/schema-hubble-export.ts';

/** One export. */
export interface ExportSettings {
  readonly name: string;
  /** Absolute, or `stdout`. */
  readonly path: string;
  readonly maxBytes: number;
  /** 0 = all. */
  readonly maxBackups: number;
  readonly compress: boolean;
  readonly allow: readonly FlowFilter[];
  readonly deny: readonly FlowFilter[];
  /** None = every field. */
  readonly mask: readonly string[];
  /** Milliseconds since the epoch; undefined: it never ends. */
  readonly endMs?: number;
}

const STATIC_NAME = 'export-file-path';

/** The export of the configuration; undefined when there is none. */
export function configuredExport({ hubble }: Pick<Config, 'hubble'>): ExportSettings | undefined {
  const path = hubble['export-file-path'];
  if (path === '') return undefined;
  return {
    name: STATIC_NAME,
    path,
    maxBytes: hubble['export-file-max-size-mb'] * 2 ** 20,
    maxBackups: hubble['export-file-max-backups'],
    compress: hubble['export-file-compress'],
    allow: hubble['export-allowlist'].map(readFlowFilter),
    deny: hubble['export-denylist'].map(readFlowFilter),
    mask: hubble['export-fieldmask'],
  };
}

const FLOW_LOGS = object(
  {
    flowLogs: list(
      object(
        {
          name: strictString,
          filePath: strictString,
          fieldMask: list(strictString),
          includeFilters: list(any),
          excludeFilters: list(any),
          end: strictString,
          fileMaxSizeMb: integer(1, MAX_EXPORT_SIZE_MB),
          fileMaxBackups: integer(0, MAX_EXPORT_BACKUPS),
          fileCompress: boolean,
        },
        ['name', 'filePath'],
      ),
    ),
  },
  ['flowLogs'],
);

interface FlowLog {
  readonly name: string;
  readonly filePath: string;
  readonly fieldMask?: readonly string[];
  readonly includeFilters?: readonly FlowFilter[];
  readonly excludeFilters?: readonly FlowFilter[];
  readonly end?: string;
  readonly fileMaxSizeMb?: number;
  readonly fileMaxBackups?: number;
  readonly fileCompress?: boolean;
}

export interface FlowLogs {
  readonly exports: readonly ExportSettings[];
  /** One sentence each; with any of them nothing of the file is in force. */
  readonly problems: readonly string[];
}

/** Reads a file of flowLogs. @param taken paths that others write to */
export function readFlowLogs(text: string, file: string, taken: readonly string[]): FlowLogs {
  const { value, reader } = readYaml(text, file, FLOW_LOGS);
  const { flowLogs = [] } = (value ?? {}) as { readonly flowLogs?: readonly FlowLog[] };
  const names = new Set<string>();
  const paths = new Set(taken);
  const exports = flowLogs.map((log, index) => {
    const at = `flowLogs[${index}]`;
    refuseSecond(reader, names, log.name, `${at}.name`);
    // Two may share standard output: lines are written whole.
    if (log.filePath !== 'stdout') refuseSecond(reader, paths, log.filePath, `${at}.filePath`);
    return settingsOf(log, at, reader);
  });
  const problems = reader.problems.filter(({ severity }) => severity === 'error').map(formatProblem);
  return { exports: problems.length === 0 ? exports : [], problems };
}

function refuseSecond(reader: Reader, seen: Set<string>, text: string, path: string): void {
  if (seen.has(text)) reader.problem(path, 'duplicate', `read ${path}: found ${JSON.stringify(text)} a second time`);
  seen.add(text);
}

function settingsOf(log: FlowLog, at: string, reader: Reader): ExportSettings {
  const { name, filePath: path, fieldMask = [], includeFilters = [], excludeFilters = [], end } = log;
  const told = (where: string, read: () => unknown) => {
    try {
      return read();
    } catch (error) {
      reader.problem(`${at}.${where}`, 'value', `read ${at}.${where}: ${(error as Error).message}`);
      return undefined;
    }
  };
  const wanted = exportPathProblem(path);
  if (wanted !== undefined) {
    reader.problem(`${at}.filePath`, 'value', `read ${at}.filePath: found ${JSON.stringify(path)}, wanted ${wanted}`);
  }
  for (const [index, filter] of includeFilters.entries())
    told(`includeFilters[${index}]`, () => readFlowFilter(JSON.stringify(filter)));
  for (const [index, filter] of excludeFilters.entries())
    told(`excludeFilters[${index}]`, () => readFlowFilter(JSON.stringify(filter)));
  told('fieldMask', () => compileMask(fieldMask));
  const endMs = end === undefined ? undefined : (told('end', () => momentOf(end)) as number | undefined);
  return {
    name,
    path,
    maxBytes: (log.fileMaxSizeMb ?? EXPORT_DEFAULTS.maxSizeMb) * 2 ** 20,
    maxBackups: log.fileMaxBackups ?? EXPORT_DEFAULTS.maxBackups,
    compress: log.fileCompress ?? false,
    allow: includeFilters,
    deny: excludeFilters,
    mask: fieldMask,
    ...(endMs !== undefined && { endMs }),
  };
}

function momentOf(text: string): number {
  const ms = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms))
    throw new SyntaxError(`found ${JSON.stringify(text)}, wanted a time such as 2026-01-31T12:00:00Z`);
  return ms;
}
