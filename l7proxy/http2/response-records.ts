/**
 * Records of answers, while somebody wants them. The status of a gRPC call is in its trailers (or in the head that ends it), so
 * its record is made there. Blocks are read as far as they stand alone, which they do with servers that keep to the table size
 * they were told; of others nothing is known but that they answered: their records have no status.
 *
 * Nearly every head begins with a status that has an index of its own (RFC 7541 A), and then no more of it need be read.
 */
import { FIELD_NAME, FIELD_VALUE, type FieldBlock } from '../../wire/l7-record.ts';
import { ascii } from '../http1/syntax.ts';
import * as frames from './frames.ts';
import { BLOCK_READ } from './hpack-decoder.ts';
import type { Http2Session } from './session.ts';
import type { Http2Shared } from './shared.ts';
import { IS_CONNECT, IS_GRPC, IS_OK, IS_TOLD } from './stream-table.ts';

const STATUS = ascii(':status');
const GRPC_STATUS = ascii('grpc-status');
const GRPC_MESSAGE = ascii('grpc-message');
/** Of a status message, in a record. */
const MAX_MESSAGE = 256;
const VERSION = 0x20;

/** Statuses whose field is one byte, 0x80 + index, from FIRST_INDEXED on. */
const FIRST_INDEXED = 0x88;
const INDEXED: readonly number[] = [200, 204, 206, 304, 400, 404, 500];
const UNKNOWN = -1;

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
    const { header, http, responseBlock } = this.#shared;
    if (!http.recorder.isOn || (streams.flags[place] & IS_TOLD) !== 0) return;
    const isGrpc = (streams.flags[place] & IS_GRPC) !== 0;
    const isLast = header.has(frames.END_STREAM);
    const indexed = INDEXED[responseBlock.source[responseBlock.start] - FIRST_INDEXED] ?? UNKNOWN;
    const mustBeRead = indexed === UNKNOWN || (isGrpc && isLast);
    const isRead = mustBeRead && this.#decode();
    const status = mustBeRead ? this.#status(isRead, place) : indexed;
    if (status >= 100 && status < 200) return;
    if (status === 200 && isGrpc && !isLast) streams.flags[place] |= IS_OK;
    else if (status > 0 || isLast) this.#tell(place, status, isRead && isGrpc);
  }

  /** Its stream ends without trailers. */
  end(place: number): void {
    const { flags } = this.#session.streams;
    if (!this.#shared.http.recorder.isOn || (flags[place] & IS_TOLD) !== 0) return;
    this.#tell(place, (flags[place] & IS_OK) !== 0 ? 200 : 0, false);
  }

  #tell(place: number, status: number, hasGrpcStatus: boolean): void {
    const { owner, streams } = this.#session;
    const { recorder } = this.#shared.http;
    streams.flags[place] |= IS_TOLD;
    recorder.response(owner, streams.tickets[place], status, VERSION, hasGrpcStatus ? this.#grpcStatus() : null);
    if ((streams.flags[place] & IS_CONNECT) !== 0 && status >= 200 && status < 300) streams.openTunnel(place);
  }

  #decode(): boolean {
    const { responseDecoder, responseBlock, fields } = this.#shared;
    responseDecoder.reset();
    responseDecoder.table.resize(0);
    const { source, start, end } = responseBlock;
    return responseDecoder.decode(source, start, end, fields) === BLOCK_READ;
  }

  /** What the block in `fields` says; trailers say nothing, and are of an answer that was 200. @returns 0 when it is not known */
  #status(isRead: boolean, place: number): number {
    if (!isRead) return (this.#session.streams.flags[place] & IS_OK) !== 0 ? 200 : 0;
    const { fields } = this.#shared;
    const at = this.#find(STATUS);
    if (at < 0) return 200;
    let status = 0;
    for (let p = fields.valueStart[at]; p < fields.valueEnd[at]; p++) status = status * 10 + fields.bytes[p] - 48;
    return status >= 100 && status <= 999 ? status : 0;
  }

  #grpcStatus(): FieldBlock {
    const { grpcFields: block } = this.#shared;
    block.clear();
    this.#copy(GRPC_STATUS);
    this.#copy(GRPC_MESSAGE);
    return block;
  }

  #copy(name: Uint8Array): void {
    const { fields, grpcFields } = this.#shared;
    const at = this.#find(name);
    if (at < 0) return;
    grpcFields.field(FIELD_NAME, name, 0, name.length, name.length);
    grpcFields.field(FIELD_VALUE, fields.bytes, fields.valueStart[at], fields.valueEnd[at], MAX_MESSAGE);
  }

  /** @returns the index of the first field of this name, -1 when there is none */
  #find(name: Uint8Array): number {
    const { fields } = this.#shared;
    for (let i = 0; i < fields.count; i++) if (fields.isNamed(i, name)) return i;
    return -1;
  }
}
