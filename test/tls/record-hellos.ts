/**
 * Records the ClientHellos of openssl, curl and Node for tests:
 *
 *   node dist/test/tls/record-hellos.js > test/tls/hellos.json
 *
 * Each client talks to a listener on loopback that reads what comes first and hangs up.
 */
import { createServer, type Socket } from 'node:net';
import { run } from '../command.ts';

const NAME = 'www.one.example';
const openssl = (...args: string[]) => ['openssl', 's_client', '-connect', '127.0.0.1:PORT', ...args];
const node = (options: string) => [
  process.execPath,
  '-e',
  `require('node:tls').connect({ port: PORT, servername: '${NAME}', ${options} }).on('error', () => {})`,
];

const CLIENTS: Readonly<Record<string, readonly string[]>> = {
  'openssl, TLS 1.0': openssl('-servername', NAME, '-tls1', '-cipher', 'DEFAULT@SECLEVEL=0'),
  'openssl, TLS 1.1': openssl('-servername', NAME, '-tls1_1', '-cipher', 'DEFAULT@SECLEVEL=0'),
  'openssl, TLS 1.2': openssl('-servername', NAME, '-tls1_2'),
  'openssl, TLS 1.3': openssl('-servername', NAME, '-tls1_3'),
  'openssl, records of 512 bytes': openssl('-servername', NAME, '-maxfraglen', '512', '-groups', 'ffdhe8192:X25519'),
  'openssl, no name': openssl('-noservername'),
  curl: ['curl', '-sk', '--resolve', `${NAME}:PORT:127.0.0.1`, `https://${NAME}:PORT/`],
  'Node, TLS 1.2': node("maxVersion: 'TLSv1.2'"),
  'Node, TLS 1.3': node("ALPNProtocols: ['h2', 'http/1.1']"),
};

function firstBytes(argv: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    const hasRecord = (bytes: Buffer) => bytes.length > 5 && bytes.length >= 5 + bytes.readUInt16BE(3);
    const server = createServer((socket: Socket) => {
      socket.on('error', () => {});
      socket.on('data', (part) => {
        parts.push(part);
        if (hasRecord(Buffer.concat(parts))) socket.destroy();
      });
    });
    server.listen(0, '127.0.0.1', () => {
      const port = String((server.address() as { port: number }).port);
      run(argv.map((word) => word.replaceAll('PORT', port)))
        .then(() => {
          server.close();
          resolve(Buffer.concat(parts).toString('hex'));
        })
        .catch(reject);
    });
  });
}

const hellos: Record<string, string> = {};
for (const [name, argv] of Object.entries(CLIENTS)) hellos[name] = await firstBytes(argv);
process.stdout.write(`${JSON.stringify(hellos, null, 2)}\n`);
