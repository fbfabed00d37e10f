/** What all HTTP/2 parsers of an engine share: what lives no longer than one call, and what they know of one another's requests. */
import { FieldBlock } from '../../wire/l7-record.ts';
import { HeadMemo } from '../http1/head-memo.ts';
import type { Http1Shared } from '../http1/shared.ts';
import { MAX_RESPONSE_HEAD_BYTES } from '../http1/syntax.ts';
import { FieldList, MAX_BLOCK_BYTES } from './field-list.ts';
import { FrameHeader } from './frames.ts';
import { FrameWriter } from './frame-writer.ts';
import { HeaderBlock } from './header-block.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { RequestHead } from './request-head.ts';
import { Turn } from './turn.ts';

export class Http2Shared {
  /** Of both versions: judgement, records, counters. */
  readonly http: Http1Shared;
  readonly clock: { readonly nowMs: number };
  /** Of header blocks that stand alone. */
  readonly memo: HeadMemo;
  readonly turn: Turn = new Turn();
  readonly header: FrameHeader = new FrameHeader();
  readonly fields: FieldList = new FieldList();
  readonly requestHead: RequestHead = new RequestHead();
  readonly requestBlock: HeaderBlock = new HeaderBlock(MAX_BLOCK_BYTES);
  readonly responseBlock: HeaderBlock = new HeaderBlock(MAX_RESPONSE_HEAD_BYTES);
  /** Reads responses as far as they stand alone. */
  readonly responseDecoder: HpackDecoder = new HpackDecoder();
  /** What a record tells of the end of a gRPC call. */
  readonly grpcFields: FieldBlock = new FieldBlock(1024);
  /** A header block, or SETTINGS, before it becomes frames. */
  readonly scratch: FrameWriter = new FrameWriter();

  /** @param seed random at start */
  constructor(seed: number, http: Http1Shared, clock: { readonly nowMs: number }) {
    this.memo = new HeadMemo(seed);
    this.http = http;
    this.clock = clock;
  }
}
