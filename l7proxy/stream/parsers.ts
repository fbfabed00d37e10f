/**
 * Which protocol a connection is read in, and its parser. Parsers are made when they are first needed and used again: there
 * are never more of one protocol than connections at one time.
 */
import type { JudgeKey, Parser } from '../parser.ts';
import type { StreamProtocol } from '../protocol.ts';
import type { Connection } from './connection.ts';
import { REFUSING } from './refusing.ts';

/** The protocols of an engine (protocols.ts). */
export interface StreamProtocols {
  /** The protocol that these rule sets are for; undefined when they are none, not for the same, or for one not read here. */
  streamOf(key: JudgeKey): StreamProtocol | undefined;
  /** The protocol with this number in saved states. */
  streamNumbered(number: number): StreamProtocol | undefined;
}

export class Parsers {
  readonly #protocols: StreamProtocols;
  readonly #free = new Map<StreamProtocol, Parser[]>();

  constructor(protocols: StreamProtocols) {
    this.#protocols = protocols;
  }

  /** The connection begins, or its rules changed before it did: it is read in the protocol of its rule sets. */
  assign(connection: Connection): void {
    const isLifted = connection.egressRuleSet === 0 && connection.ingressRuleSet === 0;
    const found = this.#protocols.streamOf(connection);
    // Rules that were lifted leave a connection with its protocol: the judge of none allows everything.
    this.#assign(connection, found ?? (isLifted ? connection.protocol : REFUSING));
  }

  /**
   * The protocol in which a former process read the connection: it stays, whatever its rule sets have become since. Its judge
   * refuses those of another protocol.
   * @returns false when there is none of this number
   */
  assignNumbered(connection: Connection, number: number): boolean {
    const protocol = this.#protocols.streamNumbered(number);
    if (protocol === undefined) return false;
    this.#assign(connection, protocol);
    return true;
  }

  /** Nobody's connection keeps no parser. */
  leave(connection: Connection): void {
    this.#assign(connection, REFUSING);
  }

  #assign(connection: Connection, protocol: StreamProtocol): void {
    const isSame = protocol === connection.protocol;
    const before = connection.protocol;
    const parser = isSame ? connection.parser : (this.#free.get(protocol)?.pop() ?? protocol.makeParser());
    const parserBefore = connection.readBy(protocol, parser, protocol.judgeOf(connection));
    if (isSame || before === REFUSING) return;
    const free = this.#free.get(before) ?? [];
    this.#free.set(before, free);
    free.push(parserBefore);
  }
}
