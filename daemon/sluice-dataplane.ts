/**
 * sluice-dataplane: the forwarding process. The main thread minds signals and pcap ports; the work is done in the
 * forwarding thread (forwarding.ts). It is started by sluiced, and outlives it.
 *
 * Nothing is imported here that the forwarding thread could wait for: after a death every 100 ms of start count, because
 * TCP senders try again after 0.2, 0.6 and 1.4 s. So the agent keeps a second process that has come as far as it can
 * without touching anything (`--standby`): it waits for one byte on standard input and then forwards, under the name of
 * a dataplane that was started for it; when its input ends before, it ends too.
 */
import { parseArgs } from 'node:util';
import { fstatSync } from 'node:fs';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { programPath } from '../linux/programs.ts';
import { CONTROL_LISTEN_FD } from './supervise/control.ts';
import type { ForwardingData } from './forward/forwarding.ts';
import { say } from './forward/log.ts';
import type { PcapMessage } from './forward/pcap.ts';
import type { PcapServer } from './forward/pcap-server.ts';

const HELP = `Usage: sluice-dataplane --run-dir DIR

Forwards frames by the pinned maps in DIR/maps. Started by sluiced, which hands it a listening control socket as
descriptor 3; without one it runs uncontrolled until SIGTERM.

  --run-dir DIR   run directory of the instance, e.g. /run/sluice
  --standby       load everything, then wait for a byte on standard input
  --help          this text
`;

function main(): void {
  const { values } = parseArgs({
    options: { 'run-dir': { type: 'string' }, standby: { type: 'boolean' }, help: { type: 'boolean' } },
  });
  const runDir = values['run-dir'];
  if (values.help === true || runDir === undefined) {
    (values.help === true ? process.stdout : process.stderr).write(HELP);
    process.exit(values.help === true ? 0 : 2);
  }
  forward(runDir, values.standby === true);
}

function forward(runDir: string, isStandby: boolean): void {
  const { port1, port2 } = new MessageChannel();
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const go = new Int32Array(new SharedArrayBuffer(4));
  if (isStandby) standBy(runDir, go);
  else go[0] = 1;
  const listenFd = isSocket(CONTROL_LISTEN_FD) ? CONTROL_LISTEN_FD : -1;
  const data: ForwardingData = { runDir, listenFd, pcap: port2, stop, go };
  const worker = new Worker(programPath('forwarding'), { workerData: data, transferList: [port2] });
  servePcap(port1);
  worker.once('error', (error) => {
    say(`forwarding thread: ${error.stack ?? error.message}`);
    process.exit(1);
  });
  worker.once('exit', (code) => process.exit(code));
  // The forwarding thread looks at the word at least every 50 ms.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => (Atomics.load(go, 0) === 0 ? process.exit(0) : Atomics.store(stop, 0, 1)));
  }
  process.on('SIGHUP', () => {}); // the terminal of whoever started the agent is none of our business
}

/** Has the forwarding thread begin at the first byte, and ends when the agent that would send it has gone. */
function standBy(runDir: string, go: Int32Array): void {
  process.stdin.once('data', () => {
    process.title = [process.execPath, programPath('sluice-dataplane'), '--run-dir', runDir].join(' ');
    Atomics.store(go, 0, 1);
    Atomics.notify(go, 0);
  });
  process.stdin.on('error', () => {}); // ends as well
  process.stdin.once('close', () => Atomics.load(go, 0) === 0 && process.exit(0));
}

/** Loads what serves pcap ports when the first message about one comes. */
function servePcap(channel: MessagePort): void {
  let server: Promise<PcapServer> | undefined;
  channel.on('message', (message: PcapMessage) => {
    server ??= import('./forward/pcap-server.ts').then(({ PcapServer }) => new PcapServer(channel));
    void server.then((loaded) => loaded.take(message));
  });
}

function isSocket(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket();
  } catch {
    return false;
  }
}

try {
  main();
} catch (error) {
  process.stderr.write(`sluice-dataplane: ${(error as Error).message}\n`);
  process.exit(1);
}
