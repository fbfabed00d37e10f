/**
 * TLS connections that are opened, used once and closed, through a rule with server names beside one about the port alone: two
 * ports of one server, so that nothing else differs.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Cleanup, inNetns, isListening, must, run, start, waitFor } from '../test/command.ts';
import { type Load, wrk } from './load.ts';
import type { Results } from './series.ts';
import { raiseSluice } from './sluice.ts';
import { CLIENT, makeNamespaces, SERVER } from './subject.ts';
import { inTurn } from './turns.ts';

const PLAIN_PORT = 8443;
const NAMED_PORT = 8444;
const NAME = 'web.good.example';
const OTHER_NAME = 'web.bad.example';
const CONNECTIONS = 16;

const POLICIES = `---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: tls-server, namespace: bench }
spec:
  endpointSelector: { matchLabels: { app: server } }
  ingress:
    - fromEndpoints: [{ matchLabels: { app: client } }]
      toPorts: [{ ports: [{ port: "${PLAIN_PORT}", protocol: TCP }, { port: "${NAMED_PORT}", protocol: TCP }] }]
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: tls-client, namespace: bench }
spec:
  endpointSelector: { matchLabels: { app: client } }
  egress:
    - toEndpoints: [{ matchLabels: { app: server } }]
      toPorts:
        - ports: [{ port: "${PLAIN_PORT}", protocol: TCP }]
        - ports: [{ port: "${NAMED_PORT}", protocol: TCP }]
          serverNames: ["*.good.example"]
`;

const LOAD: Load = {
  name: 'tls',
  perUnit: 'request',
  run: async (address, seconds) => {
    const { requestsPerSec } = await wrk(`https://${address}/`, seconds, CONNECTIONS, '-H', 'Connection: close');
    return [{ metric: 'tls connect-request-close', value: requestsPerSec / 1000, unit: 'k/s' }];
  },
};

async function serveTls(cleanup: Cleanup): Promise<void> {
  const dir = mkdtempSync('/tmp/slb-tls-');
  cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
  const files = ['-keyout', join(dir, 'key.pem'), '-out', join(dir, 'crt.pem')];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', ...files];
  await must(['openssl', 'req', '-x509', ...key, '-subj', `/CN=${NAME}`, '-days', '2']);
  writeFileSync(
    join(dir, 'nginx.conf'),
    `daemon off; worker_processes 1; pid ${dir}/nginx.pid; error_log ${dir}/error.log warn;
events { worker_connections 4096; }
http {
  access_log off;
  server {
    listen ${PLAIN_PORT} ssl; listen ${NAMED_PORT} ssl;
    ssl_certificate ${dir}/crt.pem; ssl_certificate_key ${dir}/key.pem; ssl_session_tickets off;
    location / { return 200 "hello\\n"; }
  }
}
`,
  );
  const nginx = start(inNetns(SERVER, ['nginx', '-c', join(dir, 'nginx.conf')]));
  cleanup.add(() => nginx.child.kill());
  await waitFor('nginx to listen', () => isListening(SERVER, NAMED_PORT));
}

/** Names that `ip netns exec` shows programs of the client as /etc/hosts. */
function nameServer(address: string, cleanup: Cleanup): void {
  const folder = `/etc/netns/${CLIENT}`;
  const file = join(folder, 'hosts');
  if (existsSync(file)) throw new Error(`${file}: found it, wanted none: whose is it?`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, `${address} ${NAME} ${OTHER_NAME}\n`);
  cleanup.add(() => rmSync(folder, { recursive: true, force: true }));
}

/** @throws Error unless the rule is in force */
async function checkRule(): Promise<void> {
  const status = async (name: string) =>
    (await run(inNetns(CLIENT, ['curl', '-sk', '-m', '5', '-o', '/dev/null', `https://${name}:${NAMED_PORT}/`]))).code;
  const found = `${await status(NAME)} ${(await status(OTHER_NAME)) === 0 ? 'passes' : 'fails'}`;
  if (found !== '0 fails') throw new Error(`server names: wanted 0 fails, found ${found}`);
}

/** Each round with a rig of its own. */
export async function measureServerNames(rounds: number, seconds: number, results: Results): Promise<void> {
  for (let round = 1; round <= rounds; round++) {
    console.error(`server names, round ${round} of ${rounds}`);
    const cleanup = new Cleanup();
    try {
      await makeNamespaces(cleanup, CLIENT, SERVER);
      const { instance, address } = await raiseSluice(
        { attach: 'default', rules: 'l4', bystanders: 0, more: POLICIES },
        cleanup,
      );
      await serveTls(cleanup);
      nameServer(address, cleanup);
      await checkRule();
      const pids = () => instance.pids();
      const ways = [
        { name: 'sluice L4 rule', address: `${NAME}:${PLAIN_PORT}`, pids },
        { name: 'sluice serverNames', address: `${NAME}:${NAMED_PORT}`, pids },
      ];
      await inTurn(ways, [LOAD], seconds, results);
    } finally {
      cleanup.finish();
    }
  }
}
