/**
 * The registry: one entry for each protocol that a rule set can name. A name without an entry does not compile, nor does an
 * entry without parser, judge, telling and offline judge. What is not read yet says so (UNREAD): the engine refuses
 * connections under its rules and counts them; offline they are judged all the same.
 */
import { DnsOverUdp } from './dns/datagrams.ts';
import { type DnsRequest, dnsOffline } from './dns/rules.ts';
import { DnsOverTcp } from './dns/stream.ts';
import { type HttpRequest, httpOffline } from './http/offline.ts';
import { HttpProtocol } from './http/protocol.ts';
import { KafkaProtocol } from './kafka/protocol.ts';
import { type KafkaRequest, kafkaOffline } from './kafka/rules.ts';
import type { JudgeKey } from './parser.ts';
import {
  type CounterReader,
  type DatagramProtocol,
  type Protocol,
  type ProtocolName,
  type ProtocolServices,
  type RuleSetSource,
  type StreamProtocol,
  UNREAD,
  type Waiting,
} from './protocol.ts';
import { TlsProtocol } from './tls/protocol.ts';
import { type TlsRequest, tlsOffline } from './tls/rules.ts';

/** What can be asked offline of the rules of each protocol. */
export interface L7Requests {
  readonly http: HttpRequest;
  readonly dns: DnsRequest;
  readonly kafka: KafkaRequest;
  readonly tls: TlsRequest;
}

export type ProtocolTable = { readonly [Name in ProtocolName]: Protocol<L7Requests[Name]> };

export const PROTOCOLS: ProtocolTable = {
  http: { stream: (services) => new HttpProtocol(services), datagram: UNREAD, offline: httpOffline },
  dns: {
    stream: (services) => new DnsOverTcp(services),
    datagram: (services) => new DnsOverUdp(services),
    offline: dnsOffline,
  },
  kafka: { stream: (services) => new KafkaProtocol(services), datagram: UNREAD, offline: kafkaOffline },
  tls: { stream: (services) => new TlsProtocol(services), datagram: UNREAD, offline: tlsOffline },
};

/** The protocols of one engine. */
export class Protocols {
  /** Connections of which something waits for neither of their ends, by protocol. */
  readonly waiting: readonly Waiting[];
  readonly #ruleSets: RuleSetSource;
  readonly #streams = new Map<ProtocolName, StreamProtocol>();
  readonly #datagrams = new Map<ProtocolName, DatagramProtocol>();

  constructor(services: Omit<ProtocolServices, 'name'>, table: ProtocolTable = PROTOCOLS) {
    this.#ruleSets = services.ruleSets;
    for (const name of Object.keys(table) as ProtocolName[]) {
      const { stream, datagram } = table[name];
      if (stream !== UNREAD) this.#streams.set(name, stream({ ...services, name }));
      if (datagram !== UNREAD) this.#datagrams.set(name, datagram({ ...services, name }));
    }
    this.waiting = [...this.#streams.values()].map(({ waiting }) => waiting).filter((one) => one !== undefined);
  }

  /** The protocol that these rule sets are for, in TCP; undefined when they are none, not for the same, or UNREAD. */
  streamOf(key: JudgeKey): StreamProtocol | undefined {
    const name = this.#nameOf(key);
    return name === undefined ? undefined : this.#streams.get(name);
  }

  /** The same in UDP. */
  datagramOf(key: JudgeKey): DatagramProtocol | undefined {
    const name = this.#nameOf(key);
    return name === undefined ? undefined : this.#datagrams.get(name);
  }

  /** The protocol with this number in saved states. */
  streamNumbered(number: number): StreamProtocol | undefined {
    for (const protocol of this.#streams.values()) if (protocol.number === number) return protocol;
    return undefined;
  }

  /** What all of them count. */
  *counters(): Generator<CounterReader> {
    for (const { counters } of this.#streams.values()) yield* counters;
    for (const { counters } of this.#datagrams.values()) yield* counters;
  }

  #nameOf({ egressRuleSet, ingressRuleSet }: JudgeKey): ProtocolName | undefined {
    const egress = this.#parserOf(egressRuleSet);
    const ingress = this.#parserOf(ingressRuleSet);
    if (egressRuleSet === 0) return ingress;
    return ingressRuleSet === 0 || egress === ingress ? egress : undefined;
  }

  /** What a rule set is for; undefined when there is none of this id. */
  #parserOf(id: number): ProtocolName | undefined {
    return id === 0 ? undefined : this.#ruleSets.get(id)?.ruleSet.parser;
  }
}
