/**
 * Flows as `hubble observe` prints them. Every flow that Sluice shows to a person goes through `describe`, so that it
 * reads the same everywhere; the four outputs only arrange its parts.
 *
 *   compact  TIME [NODE]: SOURCE (ID) -> DESTINATION (ID) TYPE VERDICT (SUMMARY)
 *   dict     one part a line, flows apart by dashes
 *   table    columns as wide as their widest cell; printed when the printer is closed, for the widths are known only then
 *   json     the envelope, one a line (`jsonpb` is the same)
 *
 * The arrow: `->` for a request, `<-` for a reply (with the ends swapped, so that the client stays on the left), `<>`
 * when it is not known.
 */
import { EVENT_AGENT, OBSERVATION_POINTS } from '../../wire/event.ts';
import { reasonText } from '../../wire/reasons.ts';
import { RESERVED_NAMES } from '../../wire/identities.ts';
import type { Endpoint, Envelope, Flow, LostEvents, PolicyRef, Service } from '../flow.ts';
import { ownReasonTexts } from '../own-reason.ts';
import { type Colors, escapeControls, joinHostPort, PLAIN } from './terminal.ts';
import { formatTime, type TimeFormat } from '../time.ts';

export type Output = 'compact' | 'dict' | 'json' | 'jsonpb' | 'tab' | 'table';

export interface PrintOptions {
  readonly output: Output;
  /** Default none. Tables have none, whatever is given. */
  readonly colors?: Colors;
  readonly timeFormat?: TimeFormat;
  /** Show the node of each flow. */
  readonly nodeName?: boolean;
  /** Show who decided: `ALLOWED BY name (Kind)`. */
  readonly policyNames?: boolean;
  /** Names instead of addresses; default true. */
  readonly ipTranslation?: boolean;
  /** Numbers only: no names for addresses, none for identities. */
  readonly numeric?: boolean;
}

/** The parts of a printed flow. */
export interface Description {
  readonly time: string;
  readonly node: string;
  readonly source: string;
  readonly destination: string;
  readonly sourceIdentity: string;
  readonly destinationIdentity: string;
  readonly type: string;
  readonly verdict: string;
  readonly summary: string;
}

const DICT_SEPARATOR = '------------';
const TABLE_PADDING = 3;

/** What is read of a flow to print it, as a field mask: most of a flow are the labels of its ends. */
const PRINTED: readonly string[] = [
  'time',
  'verdict',
  'auth_type',
  'ethernet',
  'IP',
  'l4.TCP.source_port',
  'l4.TCP.destination_port',
  'l4.UDP',
  'l4.SCTP',
  ...['source', 'destination'].flatMap((end) => ['identity', 'namespace', 'pod_name'].map((name) => `${end}.${name}`)),
  'Type',
  'node_name',
  'source_names',
  'destination_names',
  'l7.type',
  'l7.http.code',
  'l7.dns.observation_source',
  'l7.kafka.topic',
  'l7.tlsSNI',
  'event_type',
  'source_service',
  'destination_service',
  'traffic_direction',
  'policy_match_type',
  'is_reply',
  'Summary',
  'extensions',
  'aggregate',
];
const DECIDERS = ['egress_allowed_by', 'ingress_allowed_by', 'egress_denied_by', 'ingress_denied_by'];

/** The field mask of what an output shows; undefined: everything. */
export function printedFields({ output, policyNames }: PrintOptions): readonly string[] | undefined {
  if (output === 'json' || output === 'jsonpb') return undefined;
  return policyNames === true ? [...PRINTED, ...DECIDERS] : PRINTED;
}

export class FlowPrinter {
  readonly #options: PrintOptions;
  readonly #out: (text: string) => void;
  readonly #err: (text: string) => void;
  readonly #rows: string[][] = [];
  #lines = 0;

  /** @param out takes text for stdout, lines ended @param err for stderr */
  constructor(options: PrintOptions, out: (text: string) => void, err: (text: string) => void) {
    this.#options = isTable(options.output) ? { ...options, colors: PLAIN } : options;
    this.#out = out;
    this.#err = err;
  }

  /** Prints a flow or a loss. An envelope that holds neither prints nothing. */
  write(envelope: Envelope): void {
    const { output } = this.#options;
    if (envelope.flow === undefined && envelope.lost_events === undefined) return;
    if (output === 'json' || output === 'jsonpb') this.#out(`${JSON.stringify(envelope)}\n`);
    else if (envelope.flow !== undefined) this.#writeFlow(describe(envelope.flow, this.#options));
    else if (envelope.lost_events !== undefined) this.#writeLost(envelope.lost_events);
    this.#lines++;
  }

  /** Prints a table that was collected. Nothing may be written afterwards. */
  close(): void {
    if (this.#rows.length > 0) this.#out(tableText(this.#rows));
  }

  #writeFlow(flow: Description): void {
    if (isTable(this.#options.output)) {
      this.#row([flow.time, flow.node, flow.source, flow.destination, flow.type, flow.verdict, flow.summary]);
    } else if (this.#options.output === 'dict') {
      this.#dict([
        ['TIMESTAMP', flow.time],
        ['NODE', flow.node],
        ['SOURCE', flow.source],
        ['DESTINATION', flow.destination],
        ['TYPE', flow.type],
        ['VERDICT', flow.verdict],
        ['SUMMARY', flow.summary],
      ]);
    } else this.#out(`${compactLine(flow, this.#options)}\n`);
  }

  #writeLost({ source, num_events_lost: count, cpu = 0 }: LostEvents): void {
    const summary = escapeControls(`CPU(${cpu}) - ${count}`);
    if (isTable(this.#options.output)) this.#row(['', '', source, '', 'EVENTS LOST', '', summary]);
    else if (this.#options.output === 'dict') {
      this.#dict([
        ['TIMESTAMP', ''],
        ['NODE', ''],
        ['SOURCE', source],
        ['TYPE', 'EVENTS LOST'],
        ['VERDICT', ''],
        ['SUMMARY', summary],
      ]);
    } else this.#err(`EVENTS LOST: ${escapeControls(source)} CPU(${cpu}) ${escapeControls(count)}\n`);
  }

  #row(cells: readonly string[]): void {
    const shown = (row: readonly string[]) => row.filter((_, index) => index !== 1 || this.#options.nodeName === true);
    if (this.#rows.length === 0) {
      this.#rows.push(shown(['TIMESTAMP', 'NODE', 'SOURCE', 'DESTINATION', 'TYPE', 'VERDICT', 'SUMMARY']));
    }
    this.#rows.push(shown(cells));
  }

  #dict(parts: readonly (readonly [string, string])[]): void {
    const lines = parts.filter(([key]) => key !== 'NODE' || this.#options.nodeName === true);
    const text = lines.map(([key, value]) => `${key.padStart(11)}: ${value}\n`).join('');
    this.#out(this.#lines === 0 ? text : `${DICT_SEPARATOR}\n${text}`);
  }
}

function isTable(output: Output): boolean {
  return output === 'tab' || output === 'table';
}

/** Lines of cells, the last of each line not padded. */
function tableText(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, index) => Math.max(...rows.map((row) => row[index].length)) + TABLE_PADDING);
  const line = (row: readonly string[]) =>
    row.map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index]))).join('');
  return rows.map((row) => `${line(row)}\n`).join('');
}

function compactLine(flow: Description & { readonly isReply?: boolean | undefined }, options: PrintOptions): string {
  const node = options.nodeName === true ? ` [${flow.node}]` : '';
  const ends = [`${flow.source} ${flow.sourceIdentity}`, `${flow.destination} ${flow.destinationIdentity}`];
  const arrow = flow.isReply === undefined ? '<>' : flow.isReply ? '<-' : '->';
  if (flow.isReply === true) ends.reverse();
  return `${flow.time}${node}: ${ends[0]} ${arrow} ${ends[1]} ${flow.type} ${flow.verdict} (${flow.summary})`;
}

/** One line as `-o compact` prints it, without its end, for tests. */
export function compactText(flow: Flow, options: Omit<PrintOptions, 'output'> = {}): string {
  const all: PrintOptions = { ...options, output: 'compact' };
  return compactLine(describe(flow, all), all);
}

/** The parts of a flow as people read them, painted, with all foreign text made harmless. */
function describe(flow: Flow, options: PrintOptions): Description & { readonly isReply: boolean | undefined } {
  const colors = options.colors ?? PLAIN;
  return {
    time: formatTime(flow.time, options.timeFormat ?? 'StampMilli'),
    node: escapeControls(flow.node_name ?? ''),
    source: hostOf(flow, true, options),
    destination: hostOf(flow, false, options),
    sourceIdentity: colors.identity(identityOf(flow.source, options)),
    destinationIdentity: colors.identity(identityOf(flow.destination, options)),
    type: escapeControls(typeOf(flow)),
    verdict: verdictOf(flow, options),
    summary: escapeControls(ownReasonTexts(flow)?.summary ?? flow.Summary ?? '') + authOf(flow, colors),
    isReply: flow.is_reply,
  };
}

/** For many packets told as one flow: their addresses differ. */
const ANY_HOST = '*';

function hostOf(flow: Flow, isSource: boolean, options: PrintOptions): string {
  const colors = options.colors ?? PLAIN;
  const end = isSource ? 'source' : 'destination';
  const isTranslated = options.ipTranslation !== false && options.numeric !== true;
  const name = isTranslated ? nameOf(flow[end], flow[`${end}_service`], flow[`${end}_names`]) : '';
  if (flow.aggregate !== undefined && flow.IP === undefined)
    return colors.host(escapeControls(name === '' ? ANY_HOST : name));
  if (flow.IP === undefined) return colors.host(escapeControls(flow.ethernet?.[end] ?? ''));
  const host = escapeControls(name === '' ? (flow.IP[end] ?? '') : name);
  const ports = flow.l4?.TCP ?? flow.l4?.UDP ?? flow.l4?.SCTP;
  const port = ports?.[`${end}_port`] ?? 0;
  return colors.host(port === 0 ? host : joinHostPort(host, colors.port(String(port))));
}

/** Pod, else service, else DNS names, else ''. */
function nameOf(endpoint: Endpoint, service: Service | undefined, names: readonly string[] | undefined): string {
  const join = (namespace: string | undefined, name: string) => (namespace ? `${namespace}/${name}` : name);
  if (endpoint.pod_name) return join(service?.namespace ?? endpoint.namespace, endpoint.pod_name);
  if (service?.name) return join(service.namespace, service.name);
  return names?.join(',') ?? '';
}

function identityOf({ identity = 0 }: Endpoint, { numeric }: PrintOptions): string {
  const name = numeric === true ? undefined : RESERVED_NAMES[identity];
  return name === undefined ? `(ID:${identity})` : `(${name})`;
}

const MATCH_TYPES = ['none', 'L3-Only', 'L3-L4', 'L4-Only', 'all', 'L3-Proto', 'Proto-Only'];

/** Text of a policy match type: `L3-L4`. */
export function matchTypeText(matchType: number): string {
  return MATCH_TYPES[matchType] ?? 'unknown';
}

function typeOf(flow: Flow): string {
  const { type, sub_type: subType = 0 } = flow.event_type;
  if (flow.l7 !== undefined) {
    const kind = flow.l7.type.toLowerCase();
    if (flow.l7.http) return `http-${kind}`;
    if (flow.l7.dns) return `dns-${kind} ${flow.l7.dns.observation_source ?? ''}`;
    if (flow.l7.tlsSNI !== undefined) return `tls-${kind}`;
    return flow.l7.kafka ? `kafka-${kind}` : `l7-${kind}`;
  }
  if (type === 4) return OBSERVATION_POINTS[subType] ?? String(subType);
  if (type === 1) return ownReasonTexts(flow)?.reason ?? reasonText(subType);
  if (type === EVENT_AGENT) return 'anomaly';
  if (type !== 5) return 'UNKNOWN';
  const direction = flow.traffic_direction ?? 'TRAFFIC_DIRECTION_UNKNOWN';
  return `policy-verdict:${matchTypeText(flow.policy_match_type ?? 0)} ${direction}`;
}

function verdictOf(flow: Flow, options: PrintOptions): string {
  const colors = options.colors ?? PLAIN;
  const isVerdictEvent = flow.event_type.type === 5;
  const by = options.policyNames === true ? policyNames(flow) : '';
  switch (flow.verdict) {
    case 'FORWARDED':
    case 'REDIRECTED':
      return colors.forwarded((isVerdictEvent ? 'ALLOWED' : flow.verdict) + by);
    case 'DROPPED':
    case 'ERROR':
      return colors.dropped((isVerdictEvent ? 'DENIED' : flow.verdict) + by);
    case 'AUDIT':
      return colors.audit((isVerdictEvent ? 'AUDITED' : flow.verdict) + by);
    case 'TRACED':
    case 'TRANSLATED':
      return colors.audit(flow.verdict);
    default:
      return escapeControls(flow.verdict);
  }
}

function policyNames(flow: Flow): string {
  const isDenied = flow.verdict === 'DROPPED' || flow.verdict === 'AUDIT';
  const [ingress, egress] = isDenied
    ? [flow.ingress_denied_by, flow.egress_denied_by]
    : [flow.ingress_allowed_by, flow.egress_allowed_by];
  const isNamed = ({ name, kind }: PolicyRef) => Boolean(name) && Boolean(kind);
  const refs = ((flow.traffic_direction === 'INGRESS' ? ingress : egress) ?? []).filter(isNamed);
  const texts = refs.map(({ name, kind = '' }) => escapeControls(`${name} (${kind})`));
  return texts.length === 0 ? '' : ` BY ${texts.join(', ')}`;
}

function authOf({ auth_type: authType }: Flow, colors: Colors): string {
  if (authType === undefined) return '';
  const paint = authType === 'TEST_ALWAYS_FAIL' ? colors.authFails : colors.authEnabled;
  return `; Auth: ${paint(escapeControls(authType))}`;
}
