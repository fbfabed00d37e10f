/** `sluice observe` */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { integerBetween } from '../terminal/argument.ts';
import type { Host } from '../terminal/host.ts';
import type { ObserveFlags } from '../ask/observe.ts';
import { FILTER_FLAGS } from '../../hubble/filter/observe-flags.ts';
import { example } from '../terminal/help.ts';
import { settingsOf, withGlobals } from '../terminal/settings.ts';

export function define(command: Command, host: Host): void {
  const given: (readonly [string, string])[] = [];
  command
    .description('Shows flows as `hubble observe` does, newest last. Without -f those that the agent still holds.')
    .argument('[what]', 'flows, as hubble has it; or the number of an identity, as --identity', flowsOrIdentity)
    .optionsGroup('Selection:')
    .option('--last <number>', 'the last so many (default 20)', integerBetween(0, Number.MAX_SAFE_INTEGER))
    .option('--first <number>', 'the first so many', integerBetween(0, Number.MAX_SAFE_INTEGER))
    .option('--all', 'all that there are')
    .option('-f, --follow', 'go on as more come')
    .option('--since <when>', 'from then on: 5m, 2026-01-31, RFC 3339, Unix seconds')
    .option('--until <when>', 'up to then')
    .option('--input-file <file>', 'read flows as JSON lines from a file, or - for standard input, not from the agent');
  command
    .optionsGroup('Server:')
    .option('--server <address>', "a server of Hubble's API, not the agent: host:port, tls://host:port, unix:///path")
    .option('--tls', 'with TLS')
    .option('--tls-server-name <name>', 'the name that its certificate must have')
    .option('--tls-ca-cert-files <files>', 'authorities that may have signed it, in PEM', (text) => text.split(','))
    .option('--tls-client-cert-file <file>', 'our certificate')
    .option('--tls-client-key-file <file>', 'its key');
  addFilters(command, given);
  addFormatting(command);
  withGlobals(command);
  example(
    command,
    'sluice observe -f --verdict DROPPED --print-policy-names',
    'sluice observe --last 100 --pod shop/web-0 --not --port 53',
    'sluice observe --server tls://node-2:4244 --tls-ca-cert-files ca.crt --last 20',
    'sluice observe --all -o json > flows.json; sluice observe --input-file flows.json --type l7',
  );
  command.action(async (what: string | undefined, flags: ObserveFlags) => {
    if (what !== undefined && what !== 'flows') given.push(['identity', what]);
    const { observe } = await import('../ask/observe.ts');
    const { untilInterrupted } = await import('../terminal/interrupt.ts');
    await untilInterrupted((signal) => observe(settingsOf(command, host), flags, given, signal));
  });
}

function flowsOrIdentity(text: string): string {
  if (text === 'flows' || /^\d+$/.test(text)) return text;
  throw new InvalidArgumentError('wanted flows, or the number of an identity.');
}

/** Adds the flags that choose flows. @param given takes those that are met, in order, which matters to --not */
export function addFilters(command: Command, given: (readonly [string, string])[]): void {
  command.optionsGroup('Filters (repeated: or; different: and):');
  for (const { name, short, says, takesValue, values } of FILTER_FLAGS) {
    const option = new Option(`${short === '' ? '' : `-${short}, `}--${name}${takesValue ? ' <value>' : ''}`, says);
    if (values.length > 0) option.argChoices = [...values];
    command.addOption(option);
    command.on(`option:${name}`, (value: string | null) => given.push([name, value ?? '']));
  }
}

function addFormatting(command: Command): void {
  command
    .optionsGroup('Formatting:')
    .addOption(
      new Option('-o, --output <format>', 'compact|dict|json|jsonpb|table|tab').choices([
        'compact',
        'dict',
        'json',
        'jsonpb',
        'table',
        'tab',
      ]),
    )
    .option('--print-node-name', 'the node of each flow')
    .option('--print-policy-names', 'the policies that decided')
    .option('--print-raw-filters', 'print the filters and end')
    .option('--time-format <format>', 'StampMilli (default), RFC3339, RFC3339Nano and others')
    .option('--numeric', 'addresses and identities as numbers')
    .option('--no-ip-translation', 'addresses, not names')
    .option('-s, --silent-errors', 'say nothing of events that were lost');
}
