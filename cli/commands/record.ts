/** `sluice record` */
import type { Command } from 'commander';
import type { RecordFlags } from '../capture/record.ts';
import { durationMs, integerBetween } from '../terminal/argument.ts';
import { counted } from '../terminal/counted.ts';
import { example } from '../terminal/help.ts';
import type { Host } from '../terminal/host.ts';
import { settingsOf, withGlobals } from '../terminal/settings.ts';
import { addFilters } from './observe.ts';

export function define(command: Command, host: Host): void {
  const given: (readonly [string, string])[] = [];
  command
    .description(
      'Records the frames of chosen flows into a pcapng file, with verdict, identities and rules as comments. Of each frame it has the ' +
        'first 192 bytes, as the events of the dataplane do; `sluice capture` has whole frames. Ctrl-C finishes the file.',
    )
    .requiredOption('-w, --write <file>', 'pcapng file; - for standard output')
    .option('-c, --count <frames>', 'end after so many frames', integerBetween(1, Number.MAX_SAFE_INTEGER))
    .option('--duration <duration>', 'end after this time', durationMs)
    .option('--last <number>', 'begin with the last so many flows', integerBetween(0, Number.MAX_SAFE_INTEGER))
    .option(
      '--drops',
      'what was dropped last, as far as the ring of drops reaches back, and end; works without the agent',
    );
  addFilters(command, given);
  withGlobals(command);
  example(
    command,
    'sluice record -w denied.pcapng --verdict DROPPED --to-pod shop/web-0 --duration 30s',
    'sluice record --drops -w - | tshark -r - -T fields -e frame.number -e frame.comment',
  );
  command.action(async (flags: RecordFlags) => {
    const { recordFlows } = await import('../capture/record.ts');
    const { untilInterrupted } = await import('../terminal/interrupt.ts');
    const settings = settingsOf(command, host);
    const { frames, gone, frameless } = await untilInterrupted((signal) => recordFlows(settings, flags, given, signal));
    const notes = [
      ...(gone === 0 ? [] : [`${counted(gone, 'record')} overwritten before they were read`]),
      ...(frameless === 0 ? [] : [`${counted(frameless, 'flow')} without a frame`]),
    ];
    host.stderr.write(`${[`${counted(frames, 'frame')} written to ${flags.write}`, ...notes].join(', ')}\n`);
  });
}
