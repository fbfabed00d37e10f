/** `sluice observe`: flows of the agent, or of a file, chosen and printed as Hubble does it. */
import { compileFilters } from '../../hubble/filter/filter.ts';
import type { Envelope } from '../../hubble/flow.ts';
import { readEnvelope } from '../../hubble/decode/read-envelope.ts';
import { observeFilters, type ObserveFilters } from '../../hubble/filter/observe-filter.ts';
import { FlowPrinter, type Output, type PrintOptions, printedFields } from '../../hubble/print/print.ts';
import { colorsOf, PLAIN } from '../../hubble/print/terminal.ts';
import { parseMoment, TIME_FORMATS, type TimeFormat } from '../../hubble/time.ts';
import { BatchedText } from '../terminal/batched-text.ts';
import { wantsColor } from '../terminal/color.ts';
import { DaemonApi } from '../../api/daemon-api.ts';
import { linesOfFile } from './flow-file.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import type { Settings } from '../terminal/settings.ts';
import type { ServerFlags } from './observe-server.ts';

export interface ObserveFlags extends ServerFlags {
  readonly last?: number;
  readonly first?: number;
  readonly all?: boolean;
  readonly follow?: boolean;
  readonly since?: string;
  readonly until?: string;
  readonly inputFile?: string;
  readonly output?: Output;
  readonly printNodeName?: boolean;
  readonly printPolicyNames?: boolean;
  readonly printRawFilters?: boolean;
  readonly timeFormat?: string;
  readonly numeric?: boolean;
  readonly ipTranslation?: boolean;
  readonly silentErrors?: boolean;
}

/** How many flows are shown when nothing is said, as in hubble. */
const DEFAULT_LAST = 20;

interface Selection {
  /** Infinity: all. */
  readonly number: number;
  /** Count from the oldest. */
  readonly isFirst: boolean;
  readonly sinceMs: number | undefined;
  readonly untilMs: number | undefined;
}

/**
 * @param given filter flags in the order of the command line, see observeFilters()
 * @throws Failure (usage) with hubble's message when flags make no sense
 */
export async function observe(
  settings: Settings,
  flags: ObserveFlags,
  given: readonly (readonly [string, string])[],
  signal: AbortSignal,
): Promise<void> {
  const filters = asUsage(() => observeFilters(given));
  const selection = asUsage(() => selectionOf(flags));
  const matches = asUsage(() => compileFilters(filters.allow, filters.deny));
  const out = new BatchedText(settings.host.stdout);
  const options = printOptionsOf(settings, flags);
  const printer = printerOf(settings, flags, options, out);
  if (flags.printRawFilters === true) {
    settings.host.stdout.write(`${JSON.stringify({ allowlist: filters.allow, denylist: filters.deny })}\n`);
    return;
  }
  const observation = { filters, selection, matches, printer, fields: printedFields(options), signal };
  try {
    if (flags.server !== undefined) await fromServer(flags.server, flags, observation);
    else if (flags.inputFile === undefined) await fromAgent(settings, flags, observation);
    else await fromFile(settings, flags.inputFile, { selection, matches, printer });
    printer.close();
  } finally {
    out.flush();
  }
}

interface Observation {
  readonly filters: ObserveFilters;
  readonly selection: Selection;
  readonly matches: (envelope: Envelope) => boolean;
  readonly printer: FlowPrinter;
  /** undefined: all. */
  readonly fields: readonly string[] | undefined;
  readonly signal: AbortSignal;
}

async function fromAgent(settings: Settings, flags: ObserveFlags, observation: Observation): Promise<void> {
  const { filters, selection, printer, fields, signal } = observation;
  const { number, isFirst, sinceMs, untilMs } = selection;
  const query = {
    ...(number !== Number.POSITIVE_INFINITY && { [isFirst ? 'first' : 'last']: number }),
    ...(flags.follow === true && { follow: 1 }),
    ...(sinceMs !== undefined && { since: new Date(sinceMs).toISOString() }),
    ...(untilMs !== undefined && { until: new Date(untilMs).toISOString() }),
    ...(filters.allow.length > 0 && { filter: JSON.stringify(filters.allow) }),
    ...(filters.deny.length > 0 && { deny: JSON.stringify(filters.deny) }),
    ...(fields !== undefined && { fields: fields.join() }),
  };
  await new DaemonApi(settings).flows(query, signal, (line) => {
    const envelope = readEnvelope(line);
    if (envelope !== undefined) printer.write(envelope);
  });
}

async function fromServer(server: string, flags: ObserveFlags, observation: Observation): Promise<void> {
  const { filters, selection, printer, signal } = observation;
  const { flowsOfServer } = await import('./observe-server.ts');
  const request = { filters, ...selection, isFollowing: flags.follow === true };
  for await (const envelope of flowsOfServer(server, flags, request, signal)) {
    if (envelope.flow !== undefined || envelope.lost_events !== undefined) printer.write(envelope);
  }
}

async function fromFile(
  settings: Settings,
  path: string,
  { selection, matches, printer }: Omit<Observation, 'filters' | 'fields' | 'signal'>,
): Promise<void> {
  const { number, isFirst, sinceMs = -Infinity, untilMs = Infinity } = selection;
  let chosen: Envelope[] = [];
  for await (const envelope of envelopesOf(settings, path)) {
    const ms = Date.parse(envelope.time ?? envelope.flow?.time ?? '');
    if (ms < sinceMs || ms > untilMs || !matches(envelope)) continue;
    // All of a file may be more than the memory holds.
    if (number === Number.POSITIVE_INFINITY) printer.write(envelope);
    else chosen.push(envelope);
    if (isFirst && chosen.length >= number) break;
    // Twice the number is kept before the older half is given up, so that a long file costs one copy a number.
    if (!isFirst && chosen.length >= 2 * number) chosen = number === 0 ? [] : chosen.slice(-number);
  }
  const shown = isFirst ? chosen.slice(0, number) : number === 0 ? [] : chosen.slice(-number);
  for (const envelope of shown) printer.write(envelope);
}

/** The flows of a file of JSON lines, one by one. @throws Failure when it is none */
export async function* envelopesOf(settings: Settings, path: string): AsyncGenerator<Envelope> {
  for await (const { number, text } of linesOfFile(settings.host.stdin, path)) yield* envelopeOf(path, number, text);
}

/** Lines of older exports hold the flow itself, without an envelope. */
function envelopeOf(path: string, number: number, line: string): Envelope[] {
  if (line.trim() === '') return [];
  try {
    const envelope = readEnvelope(JSON.parse(line));
    return envelope === undefined ? [] : [envelope];
  } catch {
    throw new Failure(`read ${path}:${number}: found '${line.slice(0, 40)}', wanted a flow as JSON`);
  }
}

function selectionOf(flags: ObserveFlags): Selection {
  const { last, first, all, follow, since, until } = flags;
  if ([last, first, all].filter((flag) => flag !== undefined).length > 1) {
    throw new SyntaxError('found more than one of --last, --first and --all, wanted one');
  }
  if (first !== undefined && follow === true) throw new SyntaxError('found --first with --follow, wanted one of them');
  const nowMs = Date.now();
  const isUnbounded = all === true || since !== undefined || until !== undefined || flags.inputFile !== undefined;
  return {
    number: last ?? first ?? (isUnbounded ? Number.POSITIVE_INFINITY : follow === true ? 0 : DEFAULT_LAST),
    isFirst: first !== undefined,
    sinceMs: since === undefined ? undefined : parseMoment(since, nowMs),
    untilMs: until === undefined ? undefined : parseMoment(until, nowMs),
  };
}

function printOptionsOf(settings: Settings, flags: ObserveFlags): PrintOptions {
  const { host, paint, color } = settings;
  const { timeFormat = 'StampMilli' } = flags;
  if (!(TIME_FORMATS as readonly string[]).includes(timeFormat)) {
    throw new Failure(`found time format '${timeFormat}', wanted one of ${TIME_FORMATS.join(', ')}`, EXIT.USAGE);
  }
  return {
    output: flags.output ?? 'compact',
    colors: wantsColor(color, host.stdout, host.env) ? colorsOf(paint) : PLAIN,
    timeFormat: timeFormat as TimeFormat,
    nodeName: flags.printNodeName === true,
    policyNames: flags.printPolicyNames === true,
    ipTranslation: flags.ipTranslation !== false,
    numeric: flags.numeric === true,
  };
}

function printerOf({ host }: Settings, flags: ObserveFlags, options: PrintOptions, out: BatchedText): FlowPrinter {
  const onError = (text: string): void => {
    out.flush(); // both may be one terminal
    if (flags.silentErrors !== true) host.stderr.write(text);
  };
  return new FlowPrinter(options, (text) => out.write(text), onError);
}

function asUsage<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof SyntaxError) throw new Failure(error.message, EXIT.USAGE);
    throw error;
  }
}
