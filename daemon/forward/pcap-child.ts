/**
 * The process that holds the pcap ports of a dataplane (pcap-server.ts): opens interfaces and moves frames, until the
 * dataplane hangs up.
 */
import { Arena, Batch, MAX_FRAME_BYTES } from '../../dataplane/port/arena.ts';
import { PcapPort } from '../../dataplane/port/pcap.ts';
import { VNET_HEADER_BYTES } from '../../wire/header/virtio-net.ts';
import type { PcapMessage } from './pcap.ts';

/** Frames on their way to the dataplane beyond which more are dropped. */
const MAX_WAITING = 1024;

const ports = new Map<number, PcapPort>();
const arena = new Arena();
const batch = new Batch(arena);
let waiting = 0;

process.on('message', (message: PcapMessage) => {
  if (message.kind === 'open') open(message);
  else if (message.kind === 'close') close(message.index);
  else if (message.kind === 'frame') send(message.index, message.whole);
});
process.once('disconnect', () => process.exit(0));
// Signals to the process group are for the dataplane, which hangs up when it goes.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});

function open({ options }: Extract<PcapMessage, { kind: 'open' }>): void {
  close(options.index);
  try {
    ports.set(options.index, new PcapPort(arena, { ...options, onFrame: relay }));
    report({ kind: 'opened', index: options.index });
  } catch (error) {
    report({ kind: 'failed', index: options.index, reason: (error as Error).message });
  }
}

function close(index: number): void {
  ports.get(index)?.close();
  ports.delete(index);
}

function relay(port: PcapPort): void {
  port.receive(batch);
  for (let i = 0; i < batch.count && waiting < MAX_WAITING; i++) {
    const offset = batch.offsets[i];
    const whole = arena.bytes.slice(offset - VNET_HEADER_BYTES, offset + batch.lengths[i]);
    report({ kind: 'frame', index: port.index, whole });
  }
  batch.reset();
}

function send(index: number, whole: Uint8Array): void {
  const port = ports.get(index);
  if (port === undefined || whole.length > MAX_FRAME_BYTES) return;
  const offset = arena.scratch();
  arena.bytes.set(whole, offset - VNET_HEADER_BYTES);
  port.queue(offset, whole.length - VNET_HEADER_BYTES);
  port.flush();
  arena.reset();
}

function report(message: PcapMessage): void {
  waiting++;
  process.send?.(message, () => waiting--);
}
