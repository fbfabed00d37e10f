/**
 * Records of answers, while somebody wants them. The status of a gRPC call is in its trailers (or in the head that ends it), so
 * its record is made there. Blocks are read as far as they stand alone, which they do with servers that keep to the table size
 * they were told; of others nothing is known but that they answered.
 */
import { latin1 } from '../http/headers.ts';
import { ascii } from '../http1/syntax.ts';
import * as frames from './frames.ts';
import { BLOCK_READ } from './hpack-decoder.ts';
import type { Http2Session } from './session.ts';
import type { Http2Shared } from './shared.ts';
import { IS_GRPC } from './stream-table.ts';

const STATUS = ascii(':status');
const GRPC_STATUS = ascii('grpc-status');
const GRPC_MESSAGE = ascii('grpc-message');
/** Of a status message, in a record. */
const MAX_MESSAGE = 256;

export class ResponseRecords {
  readonly #session: Http2Session;
  readonly #shared: Http2Shared;

  constructor(session: Http2Session) {
    this.#session = session;
    this.#shared = session.shared;
  }

  /** The header block in `responseBlock` is of the stream at `place`. */
  head(place: number): void {
    const { streams } = this.#session;
    const { header, http } = this.#shared;
    if (!http.recorder.isOn || streams.records[place] === undefined || !this.#decode()) return;
    const status = Number(this.#value(STATUS) ?? '200'); // trailers have none
    if (status < 200) return;
    const isGrpc = (streams.flags[place] & IS_GRPC) !== 0;
    const isLast = header.has(frames.END_STREAM);
    if (isGrpc && status === 200 && !isLast) return;
    this.#tell(place, status, isGrpc ? this.#grpcStatus() : undefined);
  }

  /** Its stream ends without trailers. */
  end(place: number): void {
    if (this.#shared.http.recorder.isOn) this.#tell(place, 200, undefined);
  }

  #tell(place: number, status: number, headers: Record<string, string[]> | undefined): void {
    const session = this.#session;
    const record = session.streams.records[place];
    if (record === undefined) return;
    session.streams.records[place] = undefined;
    this.#shared.http.recorder.response(session.owner, record, status, headers);
  }

  #decode(): boolean {
    const { responseDecoder, responseBlock, fields } = this.#shared;
    responseDecoder.reset();
    responseDecoder.table.resize(0);
    const { source, start, end } = responseBlock;
    return responseDecoder.decode(source, start, end, fields) === BLOCK_READ;
  }

  #grpcStatus(): Record<string, string[]> {
    const status = this.#value(GRPC_STATUS);
    const message = this.#value(GRPC_MESSAGE);
    return {
      ...(status === undefined ? {} : { 'Grpc-Status': [status] }),
      ...(message === undefined ? {} : { 'Grpc-Message': [message.slice(0, MAX_MESSAGE)] }),
    };
  }

  #value(name: Uint8Array): string | undefined {
    const { fields } = this.#shared;
    for (let i = 0; i < fields.count; i++) {
      if (fields.isNamed(i, name)) return latin1(fields.bytes, fields.valueStart[i], fields.valueEnd[i]);
    }
    return undefined;
  }
}
