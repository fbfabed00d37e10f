/** `sluice observe` */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { integerBetween } from '../terminal/argument.ts';
import type { Host } from '../terminal/host.ts';
import type { ObserveFlags } from '../ask/observe.ts';
import { example } from '../terminal/help.ts';
import { settingsOf, withGlobals } from '../terminal/settings.ts';

/** Flags that take no value. */
const SWITCHES = new Set([
  'not',
  'ipv4',
  'ipv6',
  'encrypted',
  'unencrypted',
  'all-namespaces',
  'from-all-namespaces',
  'to-all-namespaces',
]);
const SHORT: Readonly<Record<string, string>> = {
  namespace: 'n',
  'all-namespaces': 'A',
  label: 'l',
  type: 't',
  ipv4: '4',
  ipv6: '6',
};

/** Filters of either end, each also with from- and to-. */
const ENDED: Readonly<Record<string, string>> = {
  ip: 'address or CIDR',
  pod: '[namespace/]pod-name prefix',
  namespace: 'namespace',
  'all-namespaces': 'pods of all namespaces',
  label: 'label selector, such as k8s:app=web',
  service: '[namespace/]service',
  port: 'port number',
  workload: '[kind/]name',
  identity: 'security identity, by number or reserved name',
  fqdn: 'DNS name, * for any characters',
  cluster: 'cluster name',
};
const WHOLE: Readonly<Record<string, string>> = {
  not: 'turn the next filter round',
  type: 'event type, or TYPE:SUBTYPE',
  verdict: 'what became of it',
  'drop-reason-desc': 'POLICY_DENIED and the like',
  protocol: 'TCP, UDP, ICMPv4, HTTP, DNS...',
  'tcp-flags': 'flags that are set: SYN,ACK',
  'http-status': '404, or 4+ for all that begin so',
  'http-method': 'HTTP method',
  'http-path': 'regular expression',
  'http-url': 'regular expression',
  'http-header': 'name:value',
  'dns-query': 'regular expression',
  'traffic-direction': 'direction',
  interface: 'network interface',
  reply: 'whether it is a reply',
  uuid: 'flow by its UUID',
  'trace-id': 'trace by its id',
  'ip-trace-id': 'trace of an IP option, by its id',
  'snat-ip': 'address or CIDR that the source became',
  encrypted: 'only encrypted',
  unencrypted: 'only in the clear',
  'node-name': 'node, * for any characters',
  'node-label': 'label selector of the node',
  ipv4: 'only IPv4',
  ipv6: 'only IPv6',
  'ip-version': 'IP version',
  allowlist: 'FlowFilter as JSON',
  denylist: 'FlowFilter as JSON',
};

/** Values to show and to complete; others may do as well, which the filters know. */
const VALUES: Readonly<Record<string, string[]>> = {
  type: ['drop', 'l7', 'policy-verdict', 'trace'],
  verdict: ['FORWARDED', 'DROPPED', 'ERROR', 'AUDIT', 'REDIRECTED'],
  'traffic-direction': ['ingress', 'egress'],
  reply: ['true', 'false'],
  'ip-version': ['4', '6', 'v4', 'v6', 'ipv4', 'ipv6'],
};

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
  for (const [name, what] of Object.entries(WHOLE)) addFilter(command, name, what, given);
  for (const [name, what] of Object.entries(ENDED)) {
    addFilter(command, name, `either end: ${what}`, given);
    addFilter(command, `from-${name}`, `source: ${what}`, given);
    addFilter(command, `to-${name}`, `destination: ${what}`, given);
  }
}

function addFilter(command: Command, name: string, what: string, given: (readonly [string, string])[]): void {
  const short = SHORT[name] === undefined ? '' : `-${SHORT[name]}, `;
  const option = new Option(`${short}--${name}${SWITCHES.has(name) ? '' : ' <value>'}`, what);
  if (VALUES[name] !== undefined) option.argChoices = VALUES[name];
  command.addOption(option);
  command.on(`option:${name}`, (value: string | null) => given.push([name, value ?? '']));
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
