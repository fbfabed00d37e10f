/** What holds of a connection in each mode (l7proxy/stream/connection.ts, tcp-stream.ts), as assertions. */
import assert from 'node:assert';
import { CLOSING, type Connection, DEAD, HANDSHAKE, OPEN, REFUSED } from '../../l7proxy/stream/connection.ts';
import type { ConnectionTable } from '../../l7proxy/stream/connection-table.ts';
import type { TcpStream } from '../../l7proxy/stream/tcp-stream.ts';

/** @throws AssertionError that says what does not hold */
export function assertStates(table: ConnectionTable): void {
  for (const connection of table.connections) assertState(connection);
}

function assertState(connection: Connection): void {
  const { mode, request, response } = connection;
  const isBare = mode === DEAD || mode === REFUSED || mode === HANDSHAKE;
  assert(connection.slot >= 0 || mode === DEAD, 'a connection without a row is DEAD');
  if (isBare) for (const stream of [request, response]) assertBare(stream);
  assert(!connection.isPlain || (mode === OPEN && request.isPlain && response.isPlain), 'plain only while OPEN');
  if (mode === OPEN) for (const stream of [request, response]) assertOpen(stream);
  if (mode !== CLOSING) return;
  assert(request.isDiscarding && request.kept.bytes.length === 0 && !request.owes, 'CLOSING: requests are forgotten');
  assert(response.finOut && response.heldBytes === 0, 'CLOSING: the last of the responses is a FIN of ours');
}

function assertBare(stream: TcpStream): void {
  assert.equal(stream.kept.bytes.length, 0, 'nothing is kept');
  assert.equal(stream.early.length, 0, 'nothing waits');
  assert.equal(stream.resendAtMs, 0, 'no timer runs');
}

function assertOpen(stream: TcpStream): void {
  const { kept, una, sent, nxt, keptBase, dataEnd } = stream;
  assert(((sent - una) | 0) >= 0 || stream.isUnsure, 'una <= sent');
  assert(((nxt - sent) | 0) >= 0, 'sent <= nxt');
  const wanted = Math.max(0, (dataEnd - keptBase) | 0);
  assert.equal(kept.held - kept.start, wanted, 'what is kept is what lies from keptBase to dataEnd');
  assert(stream.passAhead === 0 || stream.dropAhead === 0 || stream.heldBytes === 0, 'nothing is held that may go');
  assert(!stream.finOut || stream.finIn, 'a FIN goes on when one has come');
}
