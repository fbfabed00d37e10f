/**
 * The main thread's side of pcap ports (forward/pcap.ts): passes messages on to a process of its own and back, for the
 * package `cap` ends its process when libpcap reports an error, and a pod that removes its interface makes it report one.
 * Loaded with the first such port; a dataplane without any starts sooner and smaller.
 *
 *     forwarding thread <-- MessagePort --> PcapServer <-- IPC --> pcap-child: PcapPort
 *
 * The child lives while a port is open, and CHILD_LINGER_MS longer. When it dies, every port is reported as failed, and the
 * forwarding thread opens those anew that can be.
 */
import { programPath } from '../../linux/programs.ts';
import { type ChildProcess, fork } from 'node:child_process';
import type { MessagePort } from 'node:worker_threads';
import { eventfdSignal } from '../../dataplane/native/index.ts';
import type { PcapMessage } from './pcap.ts';

/** Frames on their way to the child beyond which more are dropped. */
const MAX_WAITING = 1024;
/** Longer than the time after which a port that failed is tried again. */
const CHILD_LINGER_MS = 5000;

/** The open pcap ports, by index, and the process that holds them. */
export class PcapServer {
  readonly #channel: MessagePort;
  readonly #open = new Set<number>();
  #child: ChildProcess | undefined;
  #waiting = 0;
  #lingering: NodeJS.Timeout | undefined;
  #wakeFd = -1;

  constructor(channel: MessagePort) {
    this.#channel = channel;
  }

  /** Does what a message of the forwarding thread asks. */
  take(message: PcapMessage): void {
    if (message.kind === 'open') {
      this.#wakeFd = message.wakeFd;
      this.#open.add(message.options.index);
      clearTimeout(this.#lingering);
      this.#child ??= this.#start();
    }
    this.#send(message);
    if (message.kind === 'close' && this.#open.delete(message.index) && this.#open.size === 0)
      this.#lingering = setTimeout(() => this.#end(), CHILD_LINGER_MS);
  }

  #send(message: PcapMessage): void {
    if (this.#child === undefined || (message.kind === 'frame' && this.#waiting >= MAX_WAITING)) return;
    this.#waiting++;
    this.#child.send(message, () => this.#waiting--); // an error means that it has died, which it is asked about below
  }

  #start(): ChildProcess {
    const child = fork(programPath('pcap-child'), {
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    child.on('message', (message: PcapMessage) => this.#report(message));
    child.on('error', () => {}); // told by 'exit', or by the callback of send()
    child.once('exit', (code, signal) => this.#died(child, signal ?? `exit code ${code}`));
    return child;
  }

  #died(child: ChildProcess, how: string): void {
    if (this.#child !== child) return; // ended by us
    this.#child = undefined;
    const failed = [...this.#open];
    this.#open.clear();
    for (const index of failed)
      this.#report({ kind: 'failed', index, reason: `the process of pcap ports ended: ${how}` });
  }

  #end(): void {
    const child = this.#child;
    this.#child = undefined;
    if (child?.connected) child.disconnect();
  }

  #report(message: PcapMessage): void {
    this.#channel.postMessage(message);
    eventfdSignal(this.#wakeFd);
  }
}
