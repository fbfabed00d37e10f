/** The file that tells kubectl where the API is and how to get in; certificates and key stand in it. */
import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Pki } from './pki.ts';

/** @param address `127.0.0.1:6443` @throws SystemError when it cannot be written */
export function writeKubeconfig(path: string, address: string, name: string, pki: Pki): void {
  mkdirSync(dirname(path), { recursive: true });
  const staged = `${path}.new`;
  writeFileSync(staged, kubeconfig(address, name, pki), { mode: 0o600 });
  chmodSync(staged, 0o600);
  renameSync(staged, path);
}

/** JSON is YAML. */
function kubeconfig(address: string, name: string, { ca, clientCert, clientKey }: Pki): string {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const user = { 'client-certificate-data': base64(clientCert), 'client-key-data': base64(clientKey) };
  const cluster = { server: `https://${address}`, 'certificate-authority-data': base64(ca) };
  const document = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster }],
    users: [{ name: `${name}-admin`, user }],
    contexts: [{ name, context: { cluster: name, user: `${name}-admin`, namespace: 'default' } }],
    'current-context': name,
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}
