/** Random ports, ICMP types and L7 rules for the elements of policies. */
import type { Dice } from './dice.ts';
import type { Document, Options } from './parties.ts';

export const NAME_SELECTORS = [
  { matchName: 'a.example.com' },
  { matchName: 'B.Example.com.' },
  { matchPattern: '*.example.com' },
  { matchPattern: '**.example.com' },
  { matchPattern: 'a.*.com' },
  { matchPattern: '*' },
  { matchName: 'pods.example.com' },
  { matchPattern: 'deep*.example.com' },
];

/** What a world allows its policies to say. */
export interface Grammar {
  readonly options: Options;
  /** With CIDR rules that see pods, pods of the same labels may differ in identity: named ports outwards are left out. */
  readonly hasEgressNames: boolean;
  /**
   * Entities that stand for an aggregate identity (facts 3.4) share its entries with everyone, so that which authentication
   * goes with them depends on the numbers of identities; they do not come with authentication in one world.
   */
  readonly hasAggregates: boolean;
  /** Rules for the same ports ask for the same authentication: different ones for the same peer are a conflict. */
  readonly authentication: ReadonlyMap<string, 'disabled' | 'required' | 'test-always-fail'>;
}

/** Where an element of a rule stands. */
export interface ElementContext {
  readonly way: 'from' | 'to';
  readonly isDeny: boolean;
  readonly namespace: string;
  readonly isForHosts: boolean;
}

export class PortMaker {
  readonly #dice: Dice;
  readonly #grammar: Grammar;

  constructor(dice: Dice, grammar: Grammar) {
    this.#dice = dice;
    this.#grammar = grammar;
  }

  /** `toPorts`, `icmps`, or neither. */
  draw({ way, isDeny, isForHosts }: ElementContext): Document {
    const dice = this.#dice;
    const rule = (): Document => (isDeny || isForHosts ? this.#plainPorts(way) : this.#portRule(way));
    return dice.weighted<() => Document>(
      [25, () => ({})],
      [65, () => ({ toPorts: dice.list(1, 2, rule) })],
      [10, () => ({ icmps: [{ fields: dice.list(1, 2, () => this.#icmpField()) }] })],
    )();
  }

  #icmpField(): Document {
    return this.#dice.pick([
      { type: 8 },
      { type: 'EchoRequest' },
      { family: 'IPv4', type: 3 },
      { family: 'IPv6', type: 128 },
      { family: 'IPv6', type: 'EchoRequest' },
      { family: 'IPv6', type: 2 },
    ]);
  }

  #plainPorts(way: 'from' | 'to'): Document {
    if (this.#dice.chance(3)) return this.#dice.pick([{}, { ports: [] }]);
    return { ports: this.#dice.list(1, 3, () => this.#port(way)) };
  }

  #port(way: 'from' | 'to'): Document {
    const dice = this.#dice;
    const protocol = dice.weighted<Document>(
      [50, { protocol: 'TCP' }],
      [20, { protocol: 'UDP' }],
      [5, { protocol: 'SCTP' }],
      [15, { protocol: 'ANY' }],
      [10, {}],
    );
    const hasNames = way === 'from' || this.#grammar.hasEgressNames;
    return dice.weighted<Document>(
      [55, { port: dice.pick(['80', '8080', '443', '53', '9092', '22']), ...protocol }],
      [5, { port: '0', ...protocol }],
      [18, { ...dice.pick(RANGES), ...protocol }],
      [hasNames ? 17 : 0, { port: dice.pick(['web', 'log', 'missing']), ...protocol }],
      [2, { port: '8080', endPort: 80, ...protocol }],
      [
        3,
        this.#grammar.options['enable-extended-ip-protocols']
          ? { protocol: dice.pick(['GRE', 'ESP']) }
          : { port: '22', ...protocol },
      ],
    );
  }

  #portRule(way: 'from' | 'to'): Document {
    const dice = this.#dice;
    return dice.weighted<() => Document>(
      [38, () => this.#plainPorts(way)],
      [35, () => this.#httpRule(way)],
      [way === 'to' ? 12 : 0, () => this.#dnsRule()],
      [
        5,
        () => ({ ports: [{ port: '9092', protocol: 'TCP' }], rules: { kafka: dice.list(1, 2, () => this.#kafka()) } }),
      ],
      [8, () => this.#serverNames()],
    )();
  }

  #serverNames(): Document {
    const dice = this.#dice;
    const port = dice.weighted<Document>(
      [90, { port: '443', protocol: 'TCP' }],
      [5, { port: '0', protocol: 'TCP' }],
      [5, { port: '443' }],
    );
    return { ports: [port], serverNames: dice.some(SERVER_NAMES, dice.between(1, 2)) };
  }

  #httpRule(way: 'from' | 'to'): Document {
    const dice = this.#dice;
    const hasNames = way === 'from' || this.#grammar.hasEgressNames;
    const ports = dice.list(1, 2, () =>
      dice.weighted<Document>(
        [45, { port: '80' }],
        [25, { port: '8080' }],
        [10, { port: '80', endPort: 90 }],
        [10, { port: '8080', endPort: 8095 }],
        [hasNames ? 10 : 0, { port: 'web' }],
      ),
    );
    const http = dice.weighted<() => Document[]>(
      [90, () => dice.list(1, 2, () => this.#http())],
      [5, () => []],
      [5, () => [{}]],
    )();
    return { ports: ports.map((port) => ({ ...port, protocol: 'TCP' })), rules: { http } };
  }

  #http(): Document {
    const dice = this.#dice;
    return {
      ...(dice.chance(60) && { method: dice.pick(['GET', 'GET|PUT', 'P.*']) }),
      ...(dice.chance(60) && { path: dice.pick(['/', '/api', '/api.*', '/api/v[0-9]+', '/admin']) }),
      ...(dice.chance(15) && { host: dice.pick(['api[.]example[.]com', '.*[.]example[.]com', 'web']) }),
      ...(dice.chance(12) && { headers: [dice.pick(['X-Token', 'X-Mode: on', 'X-Mode on'])] }),
      ...(dice.chance(8) && {
        headerMatches: [
          { name: 'X-Mode', value: 'on', ...dice.pick([{}, { mismatch: 'LOG' }, { mismatch: 'REPLACE' }]) },
        ],
      }),
    };
  }

  #dnsRule(): Document {
    const dice = this.#dice;
    const protocol = dice.pick(['UDP', 'TCP', 'ANY']);
    const dns = dice.chance(90) ? dice.list(1, 2, () => dice.pick(NAME_SELECTORS)) : [];
    return { ports: [{ port: '53', protocol }], rules: { dns } };
  }

  #kafka(): Document {
    const dice = this.#dice;
    return {
      ...dice.weighted<Document>(
        [30, {}],
        [40, { role: dice.pick(['produce', 'consume']) }],
        [30, { apiKey: dice.pick(['produce', 'fetch', 'heartbeat']) }],
      ),
      ...(dice.chance(60) && { topic: dice.pick(['orders', 'logs']) }),
      ...(dice.chance(20) && { clientID: 'robot' }),
      ...(dice.chance(10) && { apiVersion: '1' }),
    };
  }
}

const RANGES = [
  { port: '80', endPort: 90 },
  { port: '8080', endPort: 8095 },
  { port: '1', endPort: 1023 },
  { port: '1024', endPort: 65535 },
  { port: '70', endPort: 9100 },
];

const SERVER_NAMES = ['a.example.com', '*.example.com', '**.example.com', 'other.org'];

/** Ports by which rules agree on authentication. */
export const portKey = ({ port = '0', endPort = 0 }: Document): string =>
  endPort > Number(port) ? `${port}-${endPort}` : `${port}`;
export const AUTHENTICATED_PORTS = ['all', '0', '80', '8080', '443', '80-90', '8080-8095', '1-1023', '70-9100'];
