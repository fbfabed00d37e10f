/** `sluice capture` */
import type { Command } from 'commander';
import { durationMs, integerBetween, repeatable } from '../terminal/argument.ts';
import { counted } from '../terminal/counted.ts';
import type { Host } from '../terminal/host.ts';
import { example } from '../terminal/help.ts';
import { settingsOf, withGlobals } from '../terminal/settings.ts';

interface CaptureFlags {
  write: string;
  interface?: string[];
  count?: number;
  duration?: number;
  filter?: string;
  namespace: string;
}

export function define(command: Command, host: Host): void {
  command
    .description(
      'Records what goes in and out of pods into a pcapng file, one interface a pod. It works without the daemons, by the ' +
        "agent's journal. Ctrl-C finishes the file.",
    )
    .argument('[pod...]', 'namespace/name, or name with -n; default: every pod of the instance')
    .requiredOption('-w, --write <file>', 'pcapng file; - for standard output')
    .option('-i, --interface <name>', 'an interface of the host, instead of pods (repeatable)', repeatable)
    .option('-c, --count <frames>', 'end after so many frames', integerBetween(1, Number.MAX_SAFE_INTEGER))
    .option('--duration <duration>', 'end after this time', durationMs)
    .option('--filter <expression>', 'only frames that match, in the syntax of pcap-filter(7)')
    .option('-n, --namespace <namespace>', 'namespace of pods given by name alone', 'default');
  withGlobals(command);
  example(
    command,
    'sluice capture -w web.pcapng shop/web-0 --duration 10s',
    "sluice capture -w - --filter 'tcp port 80' | tshark -r -",
  );
  command.action(async (pods: string[], flags: CaptureFlags) => {
    const settings = settingsOf(command, host);
    const { captureTargets } = await import('../capture/capture-targets.ts');
    const { captureInWorker } = await import('../capture/capture-parent.ts');
    const targets = captureTargets(settings, pods, flags.namespace, flags.interface ?? []);
    const where = counted(targets.length, 'interface');
    const { frames, gaps } = await captureInWorker(targets, flags, () => {
      host.stderr.write(`recording ${where} into ${flags.write}, Ctrl-C ends it\n`);
    });
    const note = gaps === 0 ? '' : `, ${counted(gaps, 'gap')}: frames came faster than they could be written`;
    host.stderr.write(`${counted(frames, 'frame')} from ${where} written to ${flags.write}${note}\n`);
  });
}
