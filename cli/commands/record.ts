/** `sluice record` */
import { type Command, InvalidArgumentError } from 'commander';
import type { RecordFlags, RecordResult } from '../capture/record.ts';
import { MAX_RECORDING_BYTES, MAX_SNAP_BYTES, MIN_RECORDING_BYTES } from '../../policy-maps/recording-map.ts';
import { durationMs, integerBetween, sizeBytes } from '../terminal/argument.ts';
import { counted } from '../terminal/counted.ts';
import { example } from '../terminal/help.ts';
import type { Host } from '../terminal/host.ts';
import { settingsOf, withGlobals } from '../terminal/settings.ts';
import { addFilters } from './observe.ts';

const MAX_DURATION_MS = 24 * 3_600_000;
const DEFAULT_DURATION_MS = 900_000;
const MAX_BEFORE_DROP_MS = 300_000;
const DEFAULT_SIZE_BYTES = 1 << 28;
const DEFAULT_BUFFER_BYTES = 1 << 25;

export function define(command: Command, host: Host): void {
  const given: (readonly [string, string])[] = [];
  command
    .description(
      'Records whole frames of chosen flows into a pcapng file, with verdict, identities and rules as comments; with --before-drop ' +
        'only what led to drops. It ends by Ctrl-C, and by the first limit that is reached; the file is whole then. Only root can.',
    )
    .requiredOption('-w, --write <file>', 'pcapng file; - for standard output')
    .option('-c, --count <frames>', 'end after so many frames', integerBetween(1, Number.MAX_SAFE_INTEGER))
    .option('--duration <duration>', 'end after this time, at most 24h', upTo(MAX_DURATION_MS), DEFAULT_DURATION_MS)
    .option('--max-size <size>', 'end before the file is larger', sizeBytes, DEFAULT_SIZE_BYTES)
    .option('--snaplen <bytes>', 'so much of each frame', integerBetween(1, MAX_SNAP_BYTES), MAX_SNAP_BYTES)
    .option(
      '--before-drop <duration>',
      'nothing but drops, each with what its two addresses said to each other so long before, at most 5m',
      upTo(MAX_BEFORE_DROP_MS),
    )
    .option(
      '--buffer <size>',
      'frames that wait to be written, in memory: a power of two, 1MiB to 256MiB',
      bufferBytes,
      DEFAULT_BUFFER_BYTES,
    )
    .option(
      '--drops',
      'what was dropped last, as far as the ring of drops reaches back: the first 192 bytes of each frame; works without the agent',
    );
  addFilters(command, given);
  withGlobals(command);
  example(
    command,
    'sluice record -w web.pcapng --pod shop/web-0 --port 443 --duration 30s',
    'sluice record -w led-to-drops.pcapng --before-drop 5s --to-pod shop/db',
    'sluice record --drops -w - | tshark -r - -T fields -e frame.number -e frame.comment',
  );
  command.action(async (flags: RecordFlags) => {
    const { recordFrames } = await import('../capture/record.ts');
    const { untilInterrupted } = await import('../terminal/interrupt.ts');
    const settings = settingsOf(command, host);
    const onBegun = (): void => void host.stderr.write(`recording into ${flags.write}, Ctrl-C ends it\n`);
    const result = await untilInterrupted((signal) => recordFrames(settings, flags, given, { signal, onBegun }));
    host.stderr.write(
      `${[`${counted(result.frames, 'frame')} written to ${flags.write}`, ...notesOf(result)].join(', ')}\n`,
    );
  });
}

const ENDS: Readonly<Record<RecordResult['ended'], readonly string[]>> = {
  full: ['ended by --max-size'],
  time: ['ended by --duration'],
  count: [],
  signal: [],
};

function notesOf({ lost, givenUp, gone, ended }: RecordResult): string[] {
  return [
    ...ENDS[ended],
    ...(lost === 0 ? [] : [`${counted(lost, 'frame')} lost: they came faster than they could be written`]),
    ...(givenUp === 0 ? [] : [`${counted(givenUp, 'frame')} not kept as long as asked: there was no more memory`]),
    ...(gone === 0 ? [] : [`${counted(gone, 'record')} overwritten before they were read`]),
  ];
}

/** A parser of durations. */
function upTo(mostMs: number): (text: string) => number {
  return (text) => {
    const ms = durationMs(text);
    if (ms > 0 && ms <= mostMs) return ms;
    throw new InvalidArgumentError(`wanted more than nothing and at most ${mostMs / 60_000}m.`);
  };
}

function bufferBytes(text: string): number {
  const bytes = sizeBytes(text);
  if (bytes >= MIN_RECORDING_BYTES && bytes <= MAX_RECORDING_BYTES && (bytes & (bytes - 1)) === 0) return bytes;
  throw new InvalidArgumentError('wanted a power of two from 1MiB to 256MiB.');
}
