/** The beginning of a connection: what its two SYNs say, and whether they are what a judged connection may begin with. */
import type { Frame } from '../../wire/frame.ts';
import * as tcp from '../../wire/header/tcp.ts';
import { type Flow, OPEN, type SynOptions } from './flow.ts';
import { stripSynOptions, trim } from './tcp-edit.ts';
import { DEFAULT_MSS } from './tcp-stream.ts';

const TIMESTAMP_BYTES = 12;
const MIN_MSS = 64;

/** Takes from a SYN what is not for this connection: data (Fast Open), and options that nobody here understands. */
export function cleanSyn(frame: Frame): boolean {
  if (!tcp.optionsAreValid(frame.bytes, frame.l4Offset)) return false;
  stripSynOptions(frame);
  if (frame.payloadLength > 0) trim(frame, 0);
  return (tcp.flags(frame.bytes, frame.l4Offset) & (tcp.FIN | tcp.URG)) === 0;
}

/** Remembers the initiator's SYN. A repeated SYN must say the same again. @returns false when it does not */
export function noteSyn(flow: Flow, frame: Frame): boolean {
  const { syn } = flow;
  const seq = tcp.seq(frame.bytes, frame.l4Offset);
  const isRepeated = flow.hasPendingSyn && syn.seq === seq;
  const shift = tcp.windowScale(frame.bytes, frame.l4Offset);
  if (isRepeated && syn.windowShift !== shift) return false;
  readSyn(syn, frame);
  flow.hasPendingSyn = true;
  return true;
}

function readSyn(syn: SynOptions, frame: Frame): void {
  const { bytes, l4Offset } = frame;
  const timestamps = tcp.timestamps(bytes, l4Offset);
  syn.seq = tcp.seq(bytes, l4Offset);
  syn.mss = tcp.mss(bytes, l4Offset);
  syn.windowShift = tcp.windowScale(bytes, l4Offset);
  syn.window = tcp.window(bytes, l4Offset);
  syn.hasTimestamps = timestamps > 0;
  syn.timestamp = timestamps > 0 ? tcp.timestampValue(bytes, timestamps) : 0;
}

/** Opens the streams, the SYN-ACK in `frame` having answered the pending SYN. @param keepBytes what a stream can keep */
export function openStreams(flow: Flow, frame: Frame, answer: SynOptions, keepBytes: number): void {
  const { syn, request, response } = flow;
  readSyn(answer, frame);
  const scales = syn.windowShift >= 0 && answer.windowShift >= 0;
  flow.hasTimestamps = syn.hasTimestamps && answer.hasTimestamps;
  flow.hasPendingSyn = false;
  flow.initiatorIsn = syn.seq;
  flow.responderIsn = answer.seq;
  request.begin((syn.seq + 1) | 0, (syn.seq + 1) | 0);
  response.begin((answer.seq + 1) | 0, (answer.seq + 1) | 0);
  // What limits a stream is told by its receiver.
  const options = flow.hasTimestamps ? TIMESTAMP_BYTES : 0;
  request.mss = payloadOf(answer.mss, options);
  response.mss = payloadOf(syn.mss, options);
  request.windowShift = scales ? answer.windowShift : 0;
  response.windowShift = scales ? syn.windowShift : 0;
  // Window fields of SYNs are not scaled: brought to the scale that later fields have.
  request.window = answer.window >>> request.windowShift;
  response.window = syn.window >>> response.windowShift;
  request.maxWindow = Math.min(0xffff, keepBytes >>> request.windowShift);
  response.maxWindow = Math.min(0xffff, keepBytes >>> response.windowShift);
  if (flow.hasTimestamps) request.noteTimestamp(syn.timestamp, true);
  if (flow.hasTimestamps) response.noteTimestamp(answer.timestamp, true);
  flow.wantsClose = false;
  flow.wantsReset = false;
  flow.heldSinceMs = 0;
  flow.mode = OPEN;
}

function payloadOf(mss: number, optionBytes: number): number {
  return Math.max(MIN_MSS, (mss < 0 ? DEFAULT_MSS : mss) - optionBytes);
}
