/**
 * Streams of many small messages, sent as a few large writes. The library sends a message at a time through half a dozen
 * generators, which costs three times what the message does. So an implementation yields one message that stands for a batch
 * and lays the batch beside it; when that message comes out at the other end, in the envelope of whatever protocol it is, the
 * batch goes out in its place. Headers, errors, deadlines and the end of the stream remain the library's.
 *
 *   implementation --stand-in--> library --| flags | length | stand-in |--> Batches.substitute --> socket
 *          \--------------batch (in the values of the call)------------------/
 *
 * All three protocols put the same five bytes before a message: flags, 0 for a message, and its length, big-endian. Messages
 * must not be compressed, so the library is not offered any compression.
 */
import { createContextKey, createContextValues, type ContextKey, type ContextValues } from '@connectrpc/connect';
import type { UniversalHandler } from '@connectrpc/connect/protocol';

const PREFIX_BYTES = 5;
const FLAG_MESSAGE = 0;

const KEY: ContextKey<Batches | undefined> = createContextKey<Batches | undefined>(undefined);

/** The batches of one call that have not gone out yet: at most one, since the next is made when it has. */
class Batches {
  readonly #waiting: Uint8Array[] = [];

  push(messages: readonly Uint8Array[]): void {
    this.#waiting.push(join(messages));
  }

  async *substitute(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) yield chunk[0] === FLAG_MESSAGE ? (this.#waiting.shift() ?? chunk) : chunk;
  }
}

/** Lays a batch beside the stand-in that is yielded next. @param values of the call @param messages encoded, at least one */
export function sendBatch(values: ContextValues, messages: readonly Uint8Array[]): void {
  const batches = values.get(KEY);
  if (batches === undefined) throw new Error('send batch: the call came without a place for batches');
  batches.push(messages);
}

/** The handler of a method whose implementation calls sendBatch() before each yield. */
export function withBatches(handler: UniversalHandler): UniversalHandler {
  const handle: typeof handler = Object.assign(async (...[request]: Parameters<UniversalHandler>) => {
    const batches = new Batches();
    const contextValues = request.contextValues ?? createContextValues();
    contextValues.set(KEY, batches);
    const response = await handler({ ...request, contextValues });
    const { body } = response;
    return body === undefined ? response : { ...response, body: batches.substitute(body) };
  }, handler);
  return handle;
}

function join(messages: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const message of messages) length += PREFIX_BYTES + message.length;
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for (const message of messages) {
    bytes[at] = FLAG_MESSAGE;
    bytes.writeUInt32BE(message.length, at + 1);
    bytes.set(message, at + PREFIX_BYTES);
    at += PREFIX_BYTES + message.length;
  }
  return bytes;
}
