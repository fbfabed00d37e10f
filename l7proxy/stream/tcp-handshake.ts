/** The beginning of a connection: what its two SYNs say, and whether they are what a judged connection may begin with. */
import type { Frame } from '../../wire/frame.ts';
import * as tcp from '../../wire/header/tcp.ts';
import type { Connection, SynOptions } from './connection.ts';
import { retarget, stripSynOptions, trim } from './tcp-edit.ts';
import { DEFAULT_MSS } from './stream-state.ts';
import type { ReceiverLimits } from './stream-state.ts';

const MIN_MSS = 64;

/**
 * Takes from a SYN what is not for this connection: data (Fast Open), and options that nobody here understands. What would come in
 * a window beyond what is kept would be dropped, and sent again piece by piece, so the window is told as the others are.
 * @param keepBytes what a stream can keep
 */
export function cleanSyn(frame: Frame, keepBytes: number): boolean {
  const { bytes, l4Offset } = frame;
  if (!tcp.optionsAreValid(bytes, l4Offset)) return false;
  const window = Math.min(tcp.window(bytes, l4Offset), keepBytes);
  retarget(frame, tcp.seq(bytes, l4Offset), tcp.ack(bytes, l4Offset), window);
  stripSynOptions(frame);
  if (frame.payloadLength > 0) trim(frame, 0);
  return (tcp.flags(frame.bytes, frame.l4Offset) & (tcp.FIN | tcp.URG)) === 0;
}

/**
 * Remembers the initiator's SYN. A repeated SYN must say the same again.
 * @param options filled from the frame @returns false when it does not
 */
export function noteSyn(connection: Connection, frame: Frame, options: SynOptions): boolean {
  const { syn } = connection;
  readSyn(options, frame);
  const isRepeated = connection.hasPendingSyn && syn.seq === options.seq;
  if (isRepeated && syn.windowShift !== options.windowShift) return false;
  connection.noteSyn(options);
  return true;
}

function readSyn(options: SynOptions, frame: Frame): void {
  const { bytes, l4Offset } = frame;
  const timestamps = tcp.timestamps(bytes, l4Offset);
  options.seq = tcp.seq(bytes, l4Offset);
  options.mss = tcp.mss(bytes, l4Offset);
  options.windowShift = tcp.windowScale(bytes, l4Offset);
  options.window = tcp.window(bytes, l4Offset);
  options.hasTimestamps = timestamps > 0;
  options.allowsSack = tcp.findOption(bytes, l4Offset, tcp.OPTION_SACK_PERMITTED) > 0;
  options.timestamp = timestamps > 0 ? tcp.timestampValue(bytes, timestamps) : 0;
}

/**
 * Opens a connection, the SYN-ACK in `frame` having answered its pending SYN. What limits a stream is told by its receiver.
 * @param answer filled from the frame @param keepBytes what a stream can keep
 */
export function openConnection(connection: Connection, frame: Frame, answer: SynOptions, keepBytes: number): void {
  const { syn } = connection;
  readSyn(answer, frame);
  const scales = syn.windowShift >= 0 && answer.windowShift >= 0;
  const optionBytes = syn.hasTimestamps && answer.hasTimestamps ? tcp.TIMESTAMP_BYTES : 0;
  const limitsOf = ({ mss, windowShift, window }: SynOptions): ReceiverLimits => {
    const shift = scales ? windowShift : 0;
    return {
      mss: Math.max(MIN_MSS, (mss < 0 ? DEFAULT_MSS : mss) - optionBytes),
      windowShift: shift,
      window: window >>> shift, // window fields of SYNs are not scaled
      maxWindow: Math.min(0xffff, keepBytes >>> shift),
    };
  };
  connection.open(answer, limitsOf(answer), limitsOf(syn));
}
