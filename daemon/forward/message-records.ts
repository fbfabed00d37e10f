/** The log of the L7 engine: each record says whose connection its message is of, as the row of that says. */
import type { AccessRecords } from '../../dataplane/access-records.ts';
import type { StreamOwner } from '../../l7proxy/parser.ts';
import type { EngineLog } from '../../l7proxy/protocol.ts';
import { ConnectionRows } from '../../policy-maps/connection-rows.ts';
import type { Maps } from '../../policy-maps/pinned.ts';
import { isV4Mapped } from '../../wire/address.ts';
import { EGRESS, INGRESS } from '../../wire/direction.ts';
import * as event from '../../wire/event.ts';
import { type L7RecordWriter, VERDICT_DENIED } from '../../wire/l7-record.ts';
import { PROTO_TCP, PROTO_UDP } from '../../wire/protocols.ts';
import { DROP_L7_DENIED } from '../../wire/reasons.ts';

export class MessageRecords implements EngineLog {
  isOn = false;
  nowMs = 0;
  readonly #access: AccessRecords;
  readonly #rows: ConnectionRows;
  readonly #datagramRows: ConnectionRows;

  constructor(access: AccessRecords, maps: Pick<Maps, 'ctTcp' | 'ctAny'>) {
    this.#access = access;
    this.#rows = new ConnectionRows(maps.ctTcp.words);
    this.#datagramRows = new ConnectionRows(maps.ctAny.words);
  }

  begin(
    owner: StreamOwner,
    isIngress: boolean,
    cookie: number,
    protocol: number,
    type: number,
    verdict: number,
  ): L7RecordWriter {
    const isDatagram = owner.isDatagram === true;
    const rows = isDatagram ? this.#datagramRows : this.#rows;
    const { slot } = owner;
    const record = this.#access.begin(rows.portTowards(slot, isIngress), protocol, type, verdict);
    const { bytes, at } = record;
    const client = rows.addressAt(slot, true);
    const { words } = rows;
    const isV6 = !isV4Mapped(words[client], words[client + 1], words[client + 2]);
    event.setFlags(bytes, at, isV6 ? event.FLAG_IPV6 : 0);
    event.setIdentities(bytes, at, owner.srcIdentity, owner.dstIdentity);
    event.setSourceEndpoint(bytes, at, owner.srcEndpoint);
    event.setDestinationEndpoint(bytes, at, owner.dstEndpoint);
    event.setDirection(bytes, at, isIngress ? INGRESS : EGRESS);
    event.setVerdict(bytes, at, verdict === VERDICT_DENIED ? -DROP_L7_DENIED : 0);
    event.setCookies(bytes, at, cookie, 0);
    event.setProtocol(bytes, at, isDatagram ? PROTO_UDP : PROTO_TCP);
    record.setEnd(true, rows.l4Port(slot, true), words, client);
    record.setEnd(false, rows.l4Port(slot, false), words, rows.addressAt(slot, false));
    return record;
  }

  end(): void {
    this.#access.end();
  }
}
