/**
 * TCP connections under L7 rules, judged where they pass.
 *
 *              admit (a forward frame was allowed at L4, with rule sets)
 *                |
 *     frame -- segment --> FORWARD  as it is, or edited in place
 *                |         HELD     taken
 *                |         >= 130   dropped, with the reason
 *                +-------> SegmentOutput: a denial, ACK, RST, what was held, what is sent again
 *
 * No connection is ended and begun anew: both ends talk to each other, and see at most a few bytes more or less. The work is
 * done by a parser (what the bytes mean), stream-editor.ts (which of them go on) and segment-path.ts (what a segment is);
 * here are the fast path, and what begins and ends a connection.
 *
 * The fast path is for a segment that is next in order, in a connection in which nothing was edited and nothing is held:
 * its payload is read in the frame, and when the parser lets all of it pass, the frame is not touched. Long content is not even read.
 *
 * Nothing is unbounded: connections, bytes kept for all of them, bytes kept for one way of one, edits in flight, early
 * segments. Of the first two no endpoint gets more than its share (shares.ts). A connection beyond its share is refused with
 * a reset; bytes beyond the share or the third limit are dropped, which TCP takes for loss.
 *
 * A connection that has ended, by whomever, leaves nothing here but its closed row (row-life.ts), from which whatever still
 * comes is answered with a reset.
 */
import type { ConnectionRows } from '../../policy-maps/connection-rows.ts';
import { Frame } from '../../wire/frame.ts';
import { i32 } from '../../wire/bytes.ts';
import * as offload from '../../wire/offload.ts';
import { DROP_CSUM_L4, DROP_STREAM_CLOSED, DROP_STREAM_LIMIT, FORWARD } from '../../wire/reasons.ts';
import * as tcp from '../../wire/header/tcp.ts';
import type { ParserState } from '../parser.ts';
import { CLOSING, type Connection, DEAD, HANDSHAKE, makeConnection, OPEN, REFUSED } from './connection.ts';
import { ConnectionTable } from './connection-table.ts';
import type { CounterReader } from '../protocol.ts';
import { StreamCounters, streamReaders } from './counters.ts';
import { BytePool } from './kept-bytes.ts';
import { Parsers, type StreamProtocols } from './parsers.ts';
import { REFUSING } from './refusing.ts';
import { closeRow, isRowClosed } from './row-life.ts';
import { forgetConnection, isLost, isMarkOld, resumeConnection, saveConnection } from './saved-state.ts';
import { SegmentAtHand } from './segment-at-hand.ts';
import { SegmentEnds } from './segment-ends.ts';
import { type SegmentOutput, Transmitter } from './segment-output.ts';
import { SegmentPath } from './segment-path.ts';
import { StreamEditor } from './stream-editor.ts';
import type { TcpStream } from './tcp-stream.ts';
import { Timers } from './timers.ts';

/** NOP NOP timestamps(10): how every stack we know lays out a segment with timestamps. */
const USUAL_TIMESTAMPS = 0x0101080a;

export interface TcpConnectionsOptions {
  /** Of the TCP conntrack map. */
  readonly rows: ConnectionRows;
  /** Room for what parsers cannot say in a word of their row. */
  readonly parserState: ParserState;
  readonly protocols: StreamProtocols;
  readonly output: SegmentOutput;
  readonly maxConnections: number;
  /** Bytes kept for all connections. */
  readonly memoryBytes: number;
  /** Bytes kept for one way of one connection; at most 2 MiB. */
  readonly streamBytes: number;
  /** How long a request head may take. */
  readonly headTimeoutMs: number;
}

export class TcpConnections {
  readonly counters: StreamCounters = new StreamCounters();
  readonly pool: BytePool;
  readonly readers: readonly CounterReader[];
  readonly table: ConnectionTable;
  readonly timers: Timers;
  /** How long the row of a connection lives that has ended (the dataplane's Lifecycle.closeSec). */
  closeSec = 10;
  readonly #rows: ConnectionRows;
  readonly #parserState: ParserState;
  readonly #parsers: Parsers;
  readonly #editor: StreamEditor;
  readonly #path: SegmentPath;
  readonly #transmitter: Transmitter;
  readonly #at: SegmentAtHand;

  constructor(options: TcpConnectionsOptions) {
    const { rows, protocols, output, streamBytes } = options;
    const { counters } = this;
    this.#rows = rows;
    this.#parserState = options.parserState;
    this.pool = new BytePool(options.memoryBytes);
    this.#parsers = new Parsers(protocols);
    this.#transmitter = new Transmitter(output);
    this.#editor = new StreamEditor(this.#transmitter);
    const ends = new SegmentEnds(this.#editor, this.#transmitter, counters, this.#parsers, streamBytes);
    this.#path = new SegmentPath(this.#editor, this.#transmitter, counters, ends);
    const make = (): Connection => makeConnection(this.pool, streamBytes, REFUSING);
    this.table = new ConnectionTable(rows, this.#parsers, options.maxConnections, make);
    this.readers = streamReaders(counters, this.pool, this.table);
    this.timers = new Timers(this.#editor, this.#transmitter, counters, options.headTimeoutMs);
    this.#at = new SegmentAtHand(make(), new Frame(new Uint8Array(0)));
  }

  /**
   * A forward frame of a redirected connection was allowed at L4: its first, or one after policy changed. The rule sets
   * apply from the next message on.
   * @param frame with ctSlot and identities found
   * @param egress rule set of the sender's policy, 0 none @param ingress of the receiver's, 0 none
   * @returns 0; what cannot be judged is refused by `segment`, with a reset
   */
  admit(frame: Frame, egress: number, ingress: number): number {
    const known = this.table.find(frame.ctSlot);
    const connection = known ?? this.#open(frame, false, egress, ingress);
    if (connection === undefined) return 0;
    if (known !== undefined) this.#changeRules(known, frame, egress, ingress);
    this.#refuseUnread(connection);
    return 0;
  }

  /**
   * One TCP segment of a redirected connection, whole (no fragment).
   * @param frame parsed; its checksum is verified here
   * @param ctSlot row of the connection @param isReply it comes from the responder
   * @returns FORWARD (the frame may have been edited or cut; its fields follow), HELD, or a drop reason
   */
  segment(frame: Frame, ctSlot: number, isReply: boolean): number {
    const connection = this.table.find(ctSlot) ?? this.#adopt(frame, ctSlot, isReply);
    if (!offload.validate(frame)) {
      this.counters.badChecksum++;
      return DROP_CSUM_L4;
    }
    if (connection === undefined) return this.#refuse(frame, ctSlot, isReply);
    const stream = isReply ? connection.response : connection.request;
    this.#at.begin();
    // Fast path.
    const outcome = connection.isPlain ? this.#segmentPlain(connection, frame, stream) : -1;
    if (outcome >= 0) return outcome;
    // Slow path.
    this.#at.read(connection, frame, stream);
    return this.#settle(connection, this.#path.segment(this.#at));
  }

  /** @returns -1 when the segment is not an expected one, having changed nothing but the timestamp */
  #segmentPlain(connection: Connection, frame: Frame, stream: TcpStream): number {
    const { bytes, l4Offset } = frame;
    const other = connection.other(stream);
    if ((frame.tcpFlags & ~tcp.PSH) !== tcp.ACK || tcp.seq(bytes, l4Offset) !== stream.nextIn) return -1;
    const ack = tcp.ack(bytes, l4Offset);
    const window = tcp.window(bytes, l4Offset);
    if (((ack - other.una) | 0) < 0 || ((ack - other.nxt) | 0) > 0) return -1;
    if (window > other.maxWindow && !other.leavesContent) return -1;
    if (connection.hasTimestamps) {
      if (i32(bytes, l4Offset + 20) !== USUAL_TIMESTAMPS || frame.payloadOffset < l4Offset + 32) return -1;
      const timestamp = i32(bytes, l4Offset + 24);
      if (((timestamp - stream.timestamp) | 0) < 0 || !stream.hasTimestamp) return -1;
      stream.noteTimestamp(timestamp, true);
    }
    const count = frame.payloadLength;
    const isUnkept = count > 0 && stream.passUnkept(count);
    if (!isUnkept && !stream.kept.reserve(count)) {
      this.counters.noMemory++;
      return DROP_STREAM_LIMIT;
    }
    this.#at.isNews = ack !== other.una || window !== other.window;
    if (ack !== other.una) other.acknowledge(ack, window, this.#editor.nowMs);
    else other.setWindow(window);
    if (isUnkept) return this.#sentPlain(connection, stream);
    return count === 0 ? FORWARD : this.#readPlain(connection, frame, stream, other);
  }

  #readPlain(connection: Connection, frame: Frame, stream: TcpStream, other: TcpStream): number {
    const at = this.#at;
    at.noteBefore(stream.nxt, stream.ackIn);
    const p = this.#editor.straight(at, connection, stream, frame, false);
    if (p < frame.payloadOffset + frame.payloadLength || stream.hasDeferred || other.heldBytes > 0) {
      at.read(connection, frame, stream);
      return this.#settle(connection, this.#path.finish(at, p, true));
    }
    return this.#sentPlain(connection, stream);
  }

  /** All of a frame goes on as it came. */
  #sentPlain(connection: Connection, stream: TcpStream): number {
    stream.noteSentTo(stream.nxt);
    if (this.#at.wasAsked || isMarkOld(stream)) this.#save(connection);
    return FORWARD;
  }

  /** What is due after the slow path. */
  #settle(connection: Connection, outcome: number): number {
    connection.refreshPlain();
    this.timers.watch(connection);
    this.#save(connection);
    if (connection.mode === CLOSING || connection.mode === DEAD) this.#end(connection);
    return outcome;
  }

  /** Over, by whatever segment or timer of anybody: for conntrack too, and nothing of it is left here once it is DEAD. */
  readonly #end = (connection: Connection): void => {
    const { slot } = connection;
    closeRow(this.#rows.words, slot, Math.floor(this.#editor.nowMs / 1000) + this.closeSec);
    forgetConnection(slot, this.#rows);
    if (connection.mode === DEAD) this.close(slot);
  };

  #save(connection: Connection): void {
    if (this.#at.wasAsked) {
      connection.request.setMark();
      connection.response.setMark();
    }
    saveConnection(connection, this.#rows, this.#parserState);
  }

  /**
   * After a restart, for each TCP connection in conntrack: if it cannot be taken up, both ends are made to speak, so that
   * they are reset now and not when one of them has waited long enough.
   * @returns whether it was one
   */
  rouse(ctSlot: number): boolean {
    if (!isLost(ctSlot, this.#rows)) return false;
    this.#transmitter.knock(ctSlot, true);
    this.#transmitter.knock(ctSlot, false);
    return true;
  }

  /**
   * What is held of a connection may go on now, though neither end has sent anything.
   * @param generation of its row: another connection's is left alone
   */
  wake(ctSlot: number, generation: number): void {
    const connection = this.table.find(ctSlot);
    if (connection?.slotGeneration !== generation || connection.mode !== OPEN) return;
    this.#at.begin();
    this.#at.takeUp(connection, connection.response);
    this.#editor.run(this.#at);
    if (connection.wantsReset) this.counters.resets++;
    else if (connection.mode === OPEN) {
      this.#editor.flush(connection, connection.request);
      this.#editor.flush(connection, connection.response);
    } else {
      this.counters.closes++;
      if (!this.#editor.flush(connection, connection.response)) this.#transmitter.ack(connection, connection.request);
    }
    this.#settle(connection, 0);
  }

  /** The conntrack entry went away. */
  close(ctSlot: number): void {
    this.table.close(ctSlot);
    this.#parserState.forget(ctSlot);
  }

  /**
   * Sets the clock and does what is due by it: repetitions, timeouts, and a look for connections whose row is gone.
   * @param nowMs milliseconds of any steady clock; call it once a batch, at least every 50 ms while connections exist
   */
  tick(nowMs: number): void {
    this.nowMs = nowMs;
    this.timers.tick(nowMs, this.table, this.#end);
  }

  set nowMs(nowMs: number) {
    this.#editor.nowMs = nowMs;
  }

  /** A connection of which this process knows nothing: a new one, or one that a former process judged. */
  #open(frame: Frame, isReply: boolean, egress: number, ingress: number): Connection | undefined {
    const initiator = isReply ? frame.dstEndpoint : frame.srcEndpoint;
    const responder = isReply ? frame.srcEndpoint : frame.dstEndpoint;
    const connection = this.table.open(frame.ctSlot, (initiator === 0 ? responder : initiator) & 0xffff);
    if (connection === undefined) return undefined; // `segment` refuses it
    this.counters.opened++;
    setRules(connection, frame, isReply, egress, ingress);
    this.#parsers.assign(connection);
    const isSyn = (frame.tcpFlags & tcp.SYN) !== 0;
    const isNew = isSyn && (frame.tcpFlags & tcp.ACK) === 0;
    if (isNew) {
      forgetConnection(connection.slot, this.#rows);
      this.#parserState.forget(connection.slot);
    } else if (resumeConnection(connection, this.#rows, this.#parsers, this.#parserState)) this.counters.resumed++;
    else if (!isSyn) this.#abandon(connection, frame, isReply);
    return connection;
  }

  /** A connection in mid-stream whose state is lost: nobody can say where its next message begins. */
  #abandon(connection: Connection, frame: Frame, isReply: boolean): void {
    this.counters.unresumed++;
    connection.die();
    const { bytes, l4Offset } = frame;
    const end = tcp.seq(bytes, l4Offset);
    // The far end; the near end is answered by the segment itself, the connection being dead.
    this.#transmitter.bareReset(connection.slot, !isReply, end, tcp.ack(bytes, l4Offset), true);
  }

  /** `segment` came before `admit`: the row says which rule sets were found for the connection. */
  #adopt(frame: Frame, ctSlot: number, isReply: boolean): Connection | undefined {
    if (isOver(this.#rows.words, frame, ctSlot)) return undefined;
    const rows = this.#rows;
    frame.ctSlot = ctSlot;
    const connection = this.#open(frame, isReply, rows.egressRuleSet(ctSlot), rows.ingressRuleSet(ctSlot));
    if (connection !== undefined) this.#refuseUnread(connection);
    return connection;
  }

  #changeRules(connection: Connection, frame: Frame, egress: number, ingress: number): void {
    const isChanged = setRules(connection, frame, false, egress, ingress);
    const { mode } = connection;
    if (mode === HANDSHAKE || mode === REFUSED) this.#parsers.assign(connection);
    else if (isChanged) connection.setJudge(connection.protocol.judgeOf(connection));
  }

  /** A connection that has not begun, and whose rules cannot be read, does not begin. */
  #refuseUnread(connection: Connection): void {
    if (connection.mode !== HANDSHAKE && connection.mode !== REFUSED) return;
    if (connection.judge.isUsable) {
      connection.allow();
      return;
    }
    if (connection.mode === HANDSHAKE) this.counters.unread++;
    connection.refuse();
  }

  /** No room for another connection, or it has ended: its sender is reset. */
  #refuse(frame: Frame, ctSlot: number, isReply: boolean): number {
    const reason = isOver(this.#rows.words, frame, ctSlot) ? DROP_STREAM_CLOSED : DROP_STREAM_LIMIT;
    if (reason === DROP_STREAM_LIMIT) {
      this.counters.refused++;
      this.counters.tableFull++;
    }
    const { bytes, l4Offset, tcpFlags } = frame;
    if ((tcpFlags & tcp.RST) !== 0) return DROP_STREAM_CLOSED;
    const hasAck = (tcpFlags & tcp.ACK) !== 0;
    const virtual = (tcpFlags & tcp.SYN ? 1 : 0) + (tcpFlags & tcp.FIN ? 1 : 0);
    const end = (tcp.seq(bytes, l4Offset) + frame.payloadLength + virtual) | 0;
    this.#transmitter.bareReset(ctSlot, isReply, hasAck ? tcp.ack(bytes, l4Offset) : 0, end, !hasAck);
    return reason;
  }
}

/** Whether a segment comes for a connection that has ended on both sides, and does not begin another. */
function isOver(words: Int32Array, frame: Frame, ctSlot: number): boolean {
  return isRowClosed(words, ctSlot) && (frame.tcpFlags & tcp.SYN) === 0;
}

/** @param egress, ingress rule sets, or verdicts: those that are none count as 0 @returns whether it needs another judge */
function setRules(connection: Connection, frame: Frame, isReply: boolean, egress: number, ingress: number): boolean {
  const key = {
    egressRuleSet: Math.max(egress, 0),
    ingressRuleSet: Math.max(ingress, 0),
    srcIdentity: isReply ? frame.dstIdentity : frame.srcIdentity,
    dstIdentity: isReply ? frame.srcIdentity : frame.dstIdentity,
  };
  const srcEndpoint = isReply ? frame.dstEndpoint : frame.srcEndpoint;
  const dstEndpoint = isReply ? frame.srcEndpoint : frame.dstEndpoint;
  return connection.setRules(key, srcEndpoint, dstEndpoint);
}
