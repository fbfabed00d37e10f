/** Hubble's API on the loopback: each connection is joined to one to the unix socket, and ends with it. Bounded in number; nothing is looked into. */
import { connect, createServer, type Socket } from 'node:net';
import { hubbleSocket } from '../../api/sockets.ts';
import { Failure } from '../terminal/failure.ts';
import { untilInterrupted } from '../terminal/interrupt.ts';

const CONNECTION_LIMIT = 64;

/**
 * Serves until it is interrupted.
 * @param port 0 = one that is free @param say told where, once
 * @throws Failure when nobody serves the socket, or the port is taken
 */
export async function forwardHubble(runDir: string, port: number, say: (line: string) => void): Promise<void> {
  const path = hubbleSocket(runDir);
  await new Promise<void>((resolve, reject) => {
    const trial = connect(path, () => resolve(void trial.destroy()));
    trial.once('error', (error: NodeJS.ErrnoException) =>
      reject(new Failure(`connect ${path}: ${error.code ?? error.message}: is sluiced running?`)),
    );
  });
  const open = new Set<Socket>();
  const server = createServer((from) => join(from, connect(path), open));
  server.maxConnections = CONNECTION_LIMIT;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new Failure(`listen on 127.0.0.1:${port}: ${error.code ?? error.message}`)),
    );
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  say(`Hubble Relay is available at 127.0.0.1:${typeof address === 'object' ? address?.port : port}`);
  await untilInterrupted((signal) => new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve())));
  server.close();
  for (const socket of open) socket.destroy();
}

function join(one: Socket, other: Socket, open: Set<Socket>): void {
  for (const [socket, peer] of [
    [one, other],
    [other, one],
  ] as const) {
    open.add(socket);
    socket.on('error', () => peer.destroy());
    socket.on('close', () => {
      open.delete(socket);
      peer.destroy();
    });
    socket.pipe(peer);
  }
}
