/**
 * Fills the heap of a thread of another process until V8 ends it: node --experimental-websocket thread-ender.js PID PROGRAM
 *
 * Runs where the process is (its network namespace and user): SIGUSR1 makes that Node open its inspector on 127.0.0.1:9229, and through
 * that the thread whose program's file name begins with PROGRAM is told to make arrays for ever. Ends with 0 when the thread has gone.
 */
import { setTimeout as pause } from 'node:timers/promises';

const INSPECTOR = 'http://127.0.0.1:9229/json/list';
const FILL = 'setTimeout(() => { const kept = []; for (;;) kept.push(new Array(10000).fill(1.5)); }, 0)';

interface Message {
  readonly method?: string;
  readonly params: { readonly sessionId: string; readonly workerInfo: { readonly url: string } };
}
interface Socket {
  onopen: () => void;
  onmessage: (event: { readonly data: string }) => void;
  onerror: (event: unknown) => void;
  send(text: string): void;
}

const [pid, program] = process.argv.slice(2);
process.kill(Number(pid), 'SIGUSR1');
let address: string | undefined;
for (let tries = 0; address === undefined && tries < 100; tries++) {
  const targets = await fetch(INSPECTOR).then(
    (answer) => answer.json() as Promise<{ webSocketDebuggerUrl: string }[]>,
    () => [],
  );
  address = targets[0]?.webSocketDebuggerUrl;
  if (address === undefined) await pause(100);
}
if (address === undefined) throw new Error(`${INSPECTOR}: found nobody, wanted the inspector of ${pid}`);

const { WebSocket } = globalThis as unknown as { WebSocket: new (url: string) => Socket };
const socket = new WebSocket(address);
let session: string | undefined;
let id = 0;
const send = (method: string, params: object): void => socket.send(JSON.stringify({ id: ++id, method, params }));
socket.onerror = (event) => {
  console.error('inspector:', event);
  process.exit(1);
};
socket.onopen = () => send('NodeWorker.enable', { waitForDebuggerOnStart: false });
socket.onmessage = ({ data }) => {
  const { method, params } = JSON.parse(data) as Message;
  if (method === 'NodeWorker.detachedFromWorker' && params.sessionId === session) process.exit(0);
  if (method !== 'NodeWorker.attachedToWorker' || session !== undefined) return;
  if (params.workerInfo.url.split('/').at(-1)?.startsWith(program) !== true) return;
  session = params.sessionId;
  const message = JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression: FILL } });
  send('NodeWorker.sendMessageToWorker', { sessionId: session, message });
};
