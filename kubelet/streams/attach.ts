/**
 * attach: the streams of a client joined to those of a running container, at the unix socket where its minder takes clients
 * (launcher/attach.c): frames of a byte of type, four bytes of length, and what is sent.
 *
 * A container does not wait for who watches it: a client that reads too slowly is cut off there, and is told so here. The end of the
 * client's stdin is passed on; a client that goes ends nothing but its own connection.
 */
import { connect, type Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { CommandEnd } from '../../apiserver/streaming/command-status.ts';
import type { CommandStreams } from '../../apiserver/streaming/remote-command.ts';

const HEADER_BYTES = 5;
const FRAME = { STDIN: 0, STDOUT: 1, STDERR: 2, SIZE: 3, STDIN_END: 4, EXIT: 5 } as const;
/** Of a frame of stdin, bytes. */
const PIECE_BYTES = 64 * 1024;

/** Settles when the container has ended, the client has gone, or it was cut off. @throws Error when the container is not there */
export function attachTo(path: string, streams: CommandStreams): Promise<CommandEnd> {
  const socket = connect(path);
  return new Promise((resolve, reject) => {
    let hasEnded = false;
    const read = frameReader((type, bytes) => {
      if (type === FRAME.EXIT) hasEnded = true;
      else if (type === FRAME.STDOUT) show(socket, streams.stdout, bytes);
      // A terminal has one output; a client that wants no stderr gets none.
      else if (type === FRAME.STDERR) show(socket, streams.stderr, bytes);
    });
    socket.on('data', read);
    socket.once('error', (error) => reject(new Error(`error attaching to container: ${error.message}`)));
    socket.once('close', () => {
      // Success is that of attaching: clients look into the pod's status for the exit code.
      if (hasEnded || streams.gone.aborted) resolve({ exitCode: 0 });
      else resolve({ error: 'error attaching to container: cut off, for its output was not read fast enough' });
    });
    streams.gone.addEventListener('abort', () => socket.destroy(), { once: true });
    if (streams.gone.aborted) socket.destroy();
    if (streams.stdin !== undefined) sendInput(socket, streams.stdin);
    streams.onResize(({ rows, columns }) => {
      const size = Buffer.alloc(4);
      size.writeUInt16BE(rows, 0);
      size.writeUInt16BE(columns, 2);
      socket.write(frame(FRAME.SIZE, size));
    });
  });
}

/** Reads on when the client has taken it. */
function show(socket: Socket, target: CommandStreams['stdout'], bytes: Buffer): void {
  if (target === undefined || target.destroyed || target.write(bytes)) return;
  socket.pause();
  target.once('drain', () => socket.resume());
}

function sendInput(socket: Socket, stdin: Readable): void {
  stdin.on('data', (bytes: Buffer) => {
    let hasRoom = true;
    for (let at = 0; at < bytes.length; at += PIECE_BYTES)
      hasRoom = socket.write(frame(FRAME.STDIN, bytes.subarray(at, at + PIECE_BYTES)));
    if (hasRoom || socket.destroyed) return;
    stdin.pause();
    socket.once('drain', () => stdin.resume());
  });
  stdin.once('end', () => socket.write(frame(FRAME.STDIN_END, Buffer.alloc(0))));
  // What comes after the end of the container is thrown away.
  socket.once('close', () => stdin.resume());
}

function frame(type: number, bytes: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header[0] = type;
  header.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([header, bytes]);
}

/** Hands on the payloads of frames piece by piece, as they come. */
function frameReader(onPiece: (type: number, bytes: Buffer) => void): (bytes: Buffer) => void {
  const header = Buffer.alloc(HEADER_BYTES);
  let headerLength = 0;
  let missing = 0;
  return (bytes) => {
    for (let at = 0; at < bytes.length; ) {
      if (headerLength < HEADER_BYTES) {
        const taken = bytes.copy(header, headerLength, at);
        headerLength += taken;
        at += taken;
        if (headerLength < HEADER_BYTES) return;
        missing = header.readUInt32BE(1);
      }
      const end = Math.min(bytes.length, at + missing);
      if (end > at) onPiece(header[0], bytes.subarray(at, end));
      missing -= end - at;
      at = end;
      if (missing === 0) headerLength = 0;
    }
  };
}
