/** Faults of the L7 engine as a whole: connections that never end, tables that one sender can fill, loss that costs too much. */
import type { Mutant } from './mutant.ts';

const ENDS = ['l7proxy/stream/ends.test.ts'];
const BURSTS = ['l7proxy/stream/bursts.test.ts'];
const TLS = ['l7proxy/tls/tls.test.ts'];
const LOSS = ['l7proxy/stream/loss.test.ts'];

export const STREAMS: readonly Mutant[] = [
  {
    name: 'ended-by-us-for-ever',
    fault: 'a connection that we ended keeps its row for the lifetime of one that goes on',
    file: 'l7proxy/stream/connections.ts',
    was: 'closeRow(this.#rows.words, slot, Math.floor(this.#editor.nowMs / 1000) + this.closeSec);',
    is: '',
    killedBy: ENDS,
  },
  {
    name: 'dead-flows-stay',
    fault: 'a connection that is over keeps its place in the table of flows',
    file: 'l7proxy/stream/connections.ts',
    was: 'if (connection.mode === DEAD) this.close(slot);',
    is: '',
    killedBy: ENDS,
  },
  {
    name: 'no-shares',
    fault: 'one endpoint takes all flows, or all memory, of the L7 engine',
    file: 'l7proxy/stream/shares.ts',
    was: 'if (this.#used[endpoint] + amount > free) {',
    is: 'if (amount > free) {',
    killedBy: ENDS,
  },
  {
    name: 'half-open-flows-stay',
    fault: 'SYNs that nobody follows up keep new connections from being opened',
    file: 'l7proxy/stream/connection-table.ts',
    was: 'if (!this.shares.take(owner, 1) && !(this.#reclaim(owner) && this.shares.take(owner, 1))) return undefined;',
    is: 'if (!this.shares.take(owner, 1)) return undefined;',
    killedBy: ENDS,
  },
  {
    name: 'early-bytes-wait-for-ever',
    fault: 'bytes behind a gap that is never filled hold memory without a time limit',
    file: 'l7proxy/stream/early-queue.ts',
    was: 'if (nowMs - this.#missingSinceMs < EARLY_MS) return false;',
    is: 'if (nowMs >= 0) return false;',
    killedBy: ENDS,
  },
  {
    name: 'whole-requests-time-out',
    fault: 'requests that are whole and wait for answers are reset by the time limit for heads',
    file: 'l7proxy/stream/connection.ts',
    was: 'const waitsForOthers = this.isHeldBack || this.parser.isWaiting(REQUEST);',
    is: 'const waitsForOthers = this.isHeldBack;',
    killedBy: ENDS,
  },
  {
    name: 'no-selective-acknowledgement',
    fault: 'our duplicate acknowledgements do not say what came, and senders wait for their timer',
    file: 'l7proxy/stream/segment-output.ts',
    was: 'if (!connection.hasSack || stream.early.length === 0) return;',
    is: 'if (connection.hasSack || stream.early.length === 0) return;',
    killedBy: LOSS,
  },
  {
    name: 'sent-again-by-the-clock-only',
    fault: 'what only we can send again waits for our timer, 8 segments each time',
    file: 'l7proxy/stream/segment-path.ts',
    was: 'if (other.owes && at.connection.mode === OPEN) this.#recover(at, Math.max(0, ahead), isDuplicate);',
    is: '',
    killedBy: LOSS,
  },
  {
    name: 'no-back-pressure',
    fault:
      'a client that sends faster than it takes answers piles them up here, and is reset when there is no more room',
    file: 'l7proxy/stream/stream-editor.ts',
    was: 'return stream.way === REQUEST && connection.isCrowded;',
    is: 'return stream.way === REQUEST && connection.isCrowded && connection.slot < -1;',
    killedBy: BURSTS,
  },
  {
    name: 'held-back-for-ever',
    fault: 'requests that were held back wait although there is room again',
    file: 'l7proxy/stream/segment-path.ts',
    was: 'connection.isHeldBack && !connection.isCrowded ? this.#goOn(at) : -1;',
    is: 'connection.isHeldBack && connection.slot < -1 ? this.#goOn(at) : -1;',
    killedBy: BURSTS,
  },
  {
    name: 'early-segments-stay-behind',
    fault: 'after a death of the dataplane a transfer stands still, though what is next came long ago',
    file: 'l7proxy/stream/segment-path.ts',
    was: 'if (at.other.early.length > 0) {',
    is: 'if (at.other.early.length < 0) {',
    killedBy: ['l7proxy/stream/death.test.ts'],
  },
  {
    name: 'second-hello-unjudged',
    fault: 'behind a HelloRetryRequest a client names any server, and the server takes that name',
    file: 'l7proxy/tls/parser.ts',
    was: 'isHandshake && isRetry(bytes, start + BEFORE_RANDOM) ? SECOND : PASSING',
    is: 'PASSING',
    killedBy: TLS,
  },
  {
    name: 'a-head-under-way-is-forgotten',
    fault: 'long content is not kept, and neither is the judged head before it that the server lacks yet',
    file: 'l7proxy/stream/tcp-stream.ts',
    was: 'if (((this.una - this.contentSince) | 0) < 0) return false;',
    is: '',
    killedBy: ['l7proxy/stream/long-content.test.ts'],
  },
  {
    name: 'the-end-of-content-is-not-kept',
    fault: 'the end of a response that is under way is lost for good when we end the connection',
    file: 'l7proxy/stream/tcp-stream.ts',
    was: 'if (this.passAhead - count < this.kept.limit) return false;',
    is: 'if (this.passAhead - count < 0) return false;',
    killedBy: ['l7proxy/stream/long-content.test.ts'],
  },
  {
    name: 'old-heads-are-asked-about',
    fault: 'who repeats a head behind long content has the server asked what it has, and is reset when that was often',
    file: 'l7proxy/stream/segment-path.ts',
    was: 'if (!stream.isUnsure && ((stream.ackIn - stream.contentFrom) | 0) >= 0) {',
    is: 'if (stream.ackIn < 0) {',
    killedBy: ['l7proxy/stream/long-content.test.ts'],
  },
  {
    name: 'syns-tell-any-window',
    fault: 'the first flight of a sender goes beyond what may be kept, is dropped, and comes again a segment a second',
    file: 'l7proxy/stream/tcp-handshake.ts',
    was: 'const window = Math.min(tcp.window(bytes, l4Offset), keepBytes);',
    is: 'const window = tcp.window(bytes, l4Offset);',
    killedBy: ['l7proxy/stream/long-content.test.ts'],
  },
];
