/** The worker that holds the stream of flows, so that no flow costs the page a frame. */
import { openFlows } from './connect-stream.ts';
import { Desk } from './desk.ts';
import type { FromWorker, ToWorker } from './messages.ts';

const TICK_MS = 250;

/** Of the worker's global scope what is used: the page's types are the window's. */
interface Scope {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  postMessage(message: FromWorker, transfer?: Transferable[]): void;
}
const scope = self as unknown as Scope;

const desk = new Desk(openFlows, (message, transfer = []) => scope.postMessage(message, transfer), Date.now);
scope.onmessage = ({ data }) => desk.take(data);
setInterval(() => desk.tick(), TICK_MS);
