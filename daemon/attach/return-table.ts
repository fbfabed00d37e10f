/**
 * What comes in at the host's interfaces and is the dataplane's: the nft table `netdev <instance>_out`.
 *
 *     outside -- eth0 --[ingress: ours?]-- yes --> <instance>_host == <instance>_net -- dataplane
 *                              +--------- no --> the host's stack, as ever
 *
 * Ours are answers to masqueraded connections (to the masquerade address, at a port or echo id of its range), ICMP errors that
 * quote one, and what is for a service's address and port. They are taken before the host's stack sees them, so that it neither
 * answers nor forwards them, and `fwd ip to` gives them the dataplane's MAC, from whatever kind of link they come. Nobody may come in
 * from outside with an address of the host's own: such frames stay with the stack, which drops them.
 *
 * Ports are not in later fragments. Those for a masquerade address go both ways: who has their first fragment uses them.
 *
 * Questions about addresses that are announced (announcements.ts) go the same way, with the MAC of their link as destination, and what
 * comes by the host's port with that MAC as its source goes out there: replies, and announcements that nobody asked for.
 *
 * On `lo` there are the errors of the host's own stack (no route, too big, no more hops), and the host as a client of a service.
 * The table is one transaction: it is never half there. It comes after the shields (firewall.ts, priority -500).
 */
import { addressWords } from '../../wire/address.ts';
import { returnTableName } from '../../linux/attachment.ts';
import { CommandError, run } from '../../linux/command.ts';

/** Addresses of the dataplane as a neighbour on the host's side of its port; that has a permanent entry for each. */
export const NEXT_HOP = { 4: '169.254.1.1', 6: 'fe80::1' } as const;

/** An address and port of a service. */
export interface ServicePlace {
  readonly address: string;
  readonly port: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** Neither this node's own nor another load balancer's: it may be answered for on links. */
  readonly isAnnounceable: boolean;
}

interface ReturnInterface {
  readonly name: string;
  readonly index: number;
  /** '' of one that is no Ethernet. */
  readonly mac: string;
}

export interface ReturnRules {
  /** The host's side of its port, and the dataplane's MAC there. */
  readonly device: string;
  readonly mac: string;
  /** Interfaces of the host, lo not among them. */
  readonly interfaces: readonly ReturnInterface[];
  /** Addresses that are answered for on Ethernet interfaces. */
  readonly announced: readonly string[];
  /** Masquerade addresses, those about to be given up among them, and the range of their ports. */
  readonly addresses: readonly string[];
  readonly ports: { readonly first: number; readonly last: number };
  readonly services: readonly ServicePlace[];
}

export class ReturnTable {
  readonly #table: string;
  /** What was asked for, and how nft lists it; '' for nothing. */
  #wanted = '';
  #listed = '';
  #queue: Promise<unknown> = Promise.resolve();

  constructor(instance: string) {
    this.#table = returnTableName(instance);
  }

  /**
   * Makes the table say this, in one transaction; nothing when it does.
   * @throws CommandError when nft refuses
   */
  set(rules: ReturnRules): Promise<void> {
    const indexes = rules.interfaces.map(({ index }) => index).join();
    const text = returnRules(this.#table, rules);
    return this.#inTurn(async () => {
      const wanted = `# interfaces ${indexes}\n${text}`; // one that was made anew has lost its hook
      if (wanted === this.#wanted) return;
      await this.#load(wanted);
    });
  }

  /** Puts back what is not as it was made. @returns whether it was not */
  restore(): Promise<boolean> {
    return this.#inTurn(async () => {
      if (this.#wanted === '' || (await this.#list()) === this.#listed) return false;
      await this.#load(this.#wanted);
      return true;
    });
  }

  /** Removes the table; one that is not there is no error. */
  remove(): Promise<void> {
    return this.#inTurn(async () => {
      this.#wanted = '';
      await this.#nft([`add table netdev ${this.#table}`, `delete table netdev ${this.#table}`]);
    });
  }

  async #load(wanted: string): Promise<void> {
    this.#wanted = '';
    await this.#nft([`add table netdev ${this.#table}`, `delete table netdev ${this.#table}`, wanted]);
    this.#listed = await this.#list();
    this.#wanted = wanted;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work);
    this.#queue = done.catch(() => {});
    return done;
  }

  async #list(): Promise<string> {
    return run('nft', ['list', 'table', 'netdev', this.#table]).catch(() => '');
  }

  async #nft(lines: readonly string[]): Promise<void> {
    try {
      await run('nft', ['-f', '-'], `${lines.join('\n')}\n`);
    } catch (error) {
      const { code, message } = error as CommandError;
      throw new CommandError(
        `take what is for pods from the host's interfaces (table netdev ${this.#table})`,
        code,
        message,
      );
    }
  }
}

/** The table as text of nft. */
function returnRules(table: string, rules: ReturnRules): string {
  const chains = rules.interfaces.map((one, i) => {
    const ofLink = one.mac === '' ? [] : [...questionRules(one, rules), ...fragmentRules(rules)];
    return chain(`in_${i}`, [hook(one.name), ...ofLink, 'jump outside']);
  });
  return [
    `table netdev ${table} {`,
    chain(
      'errors',
      rules.addresses.flatMap((address) => errorRules(address, rules)),
    ),
    chain('services', [...serviceRules(4, rules), ...serviceRules(6, rules)]),
    chain('outside', [
      'fib saddr type { local, broadcast, multicast } return',
      'ip6 saddr fe80::/10 return',
      ...rules.addresses.flatMap((address) => answerRules(address, rules)),
      'jump errors',
      'jump services',
    ]),
    chain('in_lo', [hook('lo'), 'jump errors', 'jump services']),
    ...chains,
    ...(rules.announced.length > 0 ? [chain('own', [hook(rules.device), ...replyRules(rules)])] : []),
    '}',
  ].join('\n');
}

function chain(name: string, lines: readonly string[]): string {
  return [`chain ${name} {`, ...lines, '}'].join('\n');
}

function hook(device: string): string {
  return `type filter hook ingress device "${device}" priority -499; policy accept;`;
}

function isV6(address: string): boolean {
  return address.includes(':');
}

function forward(address: string, { device }: ReturnRules): string {
  return isV6(address) ? `fwd ip6 to ${NEXT_HOP[6]} device "${device}"` : `fwd ip to ${NEXT_HOP[4]} device "${device}"`;
}

function destination(address: string): string {
  return `${isV6(address) ? 'ip6' : 'ip'} daddr ${address}`;
}

function answerRules(address: string, rules: ReturnRules): string[] {
  const range = `${rules.ports.first}-${rules.ports.last}`;
  const icmp = isV6(address) ? 'icmpv6' : 'icmp';
  return [
    `${destination(address)} meta l4proto { tcp, udp, sctp } th dport ${range} ${forward(address, rules)}`,
    `${destination(address)} ${icmp} type echo-reply ${icmp} id ${range} ${forward(address, rules)}`,
  ];
}

/** Bits from the ICMP header to the quoted packet's protocol, source port and echo id, without IP options. */
const QUOTED_V4 = { protocol: 136, port: 224, id: 256, icmp: 1 };
const QUOTED_V6 = { protocol: 112, port: 384, id: 416, icmp: 58 };
const PROTOCOLS: Readonly<Record<ServicePlace['protocol'], number>> = { tcp: 6, udp: 17, sctp: 132 };
const ERRORS_V4 = 'icmp type { destination-unreachable, time-exceeded, parameter-problem }';
const ERRORS_V6 = 'icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem }';

function errorRules(address: string, rules: ReturnRules): string[] {
  const range = `${rules.ports.first}-${rules.ports.last}`;
  const at = isV6(address) ? QUOTED_V6 : QUOTED_V4;
  const error = `${destination(address)} ${isV6(address) ? ERRORS_V6 : ERRORS_V4}`;
  return [
    `${error} @th,${at.protocol},8 { 6, 17, 132 } @th,${at.port},16 ${range} ${forward(address, rules)}`,
    `${error} @th,${at.protocol},8 ${at.icmp} @th,${at.id},16 ${range} ${forward(address, rules)}`,
  ];
}

/** Who asks for an announced address asks the dataplane, which sees by the destination on which link. */
function questionRules({ mac }: ReturnInterface, { announced, device }: ReturnRules): string[] {
  const [four, six] = [announced.filter((one) => !isV6(one)), announced.filter(isV6)];
  const there = `ether daddr set ${mac} fwd to "${device}"`;
  const arp = four.length === 0 ? [] : [`arp operation request arp daddr ip { ${four.join(', ')} } ${there}`];
  return [...arp, ...six.map((one) => `icmpv6 type nd-neighbor-solicit @th,64,128 ${hex(one)} ${there}`)];
}

/** What the dataplane says on a link has the link's MAC. */
function replyRules({ interfaces }: ReturnRules): string[] {
  return interfaces.flatMap(({ name, mac }) => (mac === '' ? [] : [`ether saddr ${mac} fwd to "${name}"`]));
}

function hex(address: string): string {
  return `0x${addressWords(address)
    .map((word) => (word >>> 0).toString(16).padStart(8, '0'))
    .join('')}`;
}

function fragmentRules({ addresses, mac, device }: ReturnRules): string[] {
  return addresses.map((address) => {
    const later = isV6(address) ? 'frag frag-off != 0' : 'ip frag-off & 0x1fff != 0';
    return `${destination(address)} ${later} ether daddr set ${mac} dup to "${device}"`;
  });
}

function serviceRules(family: 4 | 6, rules: ReturnRules): string[] {
  const some = rules.services.filter(({ address }) => isV6(address) === (family === 6));
  if (some.length === 0) return [];
  const [address] = some.map((one) => one.address);
  const each = (value: (place: ServicePlace) => string | number) => `{ ${[...new Set(some.map(value))].join(', ')} }`;
  const ip = family === 6 ? 'ip6' : 'ip';
  const at = family === 6 ? QUOTED_V6 : QUOTED_V4;
  const tuples = each((place) => `${place.address} . ${place.protocol} . ${place.port}`);
  // Of the host's own server on the same port, at another address, the host is told.
  const quoted = each(({ address, protocol, port }) => `${address} . ${PROTOCOLS[protocol]} . ${port}`);
  const errors = family === 6 ? ERRORS_V6 : ERRORS_V4;
  return [
    `${ip} daddr . meta l4proto . th dport ${tuples} ${forward(address, rules)}`,
    `${errors} ${ip} daddr . @th,${at.protocol},8 . @th,${at.port},16 ${quoted} ${forward(address, rules)}`,
  ];
}
