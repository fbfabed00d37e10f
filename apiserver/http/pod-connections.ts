/** What of a pod is no document: its logs, and connections into it. Others serve these. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

export interface PodPath {
  readonly namespace: string;
  readonly name: string;
  /** `exec`, `attach`, `portforward`. */
  readonly subresource: string;
}

export interface PodConnections {
  /** Takes the connection over, and answers by itself; never throws. */
  serve(request: IncomingMessage, socket: Duplex, head: Buffer, pod: PodPath): void;
  /** Answers a request for logs by itself; a rejection is answered as a Status. */
  logs(request: IncomingMessage, response: ServerResponse, pod: PodPath): Promise<void>;
}
