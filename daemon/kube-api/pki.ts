/**
 * The certificates of the Kubernetes API, made by the openssl program on first start and kept: an authority of this agent's own, a certificate
 * for the server, and one for the only kind of client there is, the administrator of this machine. Nobody else gets in: whoever may read the
 * client's key (root) is the administrator already.
 *
 *     <folder>/ca.crt ca.key   server.crt server.key   client.crt client.key        0600, the folder 0700
 *
 * All are made together in a folder beside, which is then renamed, so that a kill -9 leaves a whole set or none. A set whose end is near, or that
 * was made for other names or by another layout, is made anew.
 */
import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../linux/command.ts';

const DAYS = 3650;
const RENEWED_MS = 60 * 86_400_000;
const NAMES = [
  'localhost',
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
];
const ADDRESSES = ['127.0.0.1', '::1'];
/** User and group that everything is allowed to. */
const CLIENT = '/O=system:masters/CN=kubernetes-admin';
const CA_EXTENSIONS = ['basicConstraints=critical,CA:TRUE,pathlen:0', 'keyUsage=critical,keyCertSign,cRLSign'];

/** PEM. */
export interface Pki {
  readonly ca: string;
  readonly serverCert: string;
  readonly serverKey: string;
  readonly clientCert: string;
  readonly clientKey: string;
}

const FILES: Readonly<Record<keyof Pki, string>> = {
  ca: 'ca.crt',
  serverCert: 'server.crt',
  serverKey: 'server.key',
  clientCert: 'client.crt',
  clientKey: 'client.key',
};

/**
 * The certificates in a folder, made when there are none that can be used.
 * @param nowMs since the epoch
 * @throws Error when openssl is missing or fails, or the folder cannot be written
 */
export async function openPki(folder: string, nowMs: number): Promise<Pki> {
  const found = readPki(folder);
  if (found !== undefined && isUsable(found, nowMs)) return found;
  const staged = `${folder}.new`;
  rmSync(staged, { recursive: true, force: true });
  mkdirSync(staged, { recursive: true, mode: 0o700 });
  await make(staged);
  rmSync(folder, { recursive: true, force: true });
  renameSync(staged, folder);
  const made = readPki(folder);
  if (made === undefined) throw new Error(`read ${folder}: found no certificates, wanted those that openssl has made`);
  return made;
}

function readPki(folder: string): Pki | undefined {
  try {
    const read = (name: keyof Pki): string => readFileSync(join(folder, FILES[name]), 'utf8');
    return {
      ca: read('ca'),
      serverCert: read('serverCert'),
      serverKey: read('serverKey'),
      clientCert: read('clientCert'),
      clientKey: read('clientKey'),
    };
  } catch {
    return undefined;
  }
}

function isUsable({ ca, serverCert, clientCert }: Pki, nowMs: number): boolean {
  try {
    const authority = new X509Certificate(ca);
    return [ca, serverCert, clientCert].every((pem) => {
      const certificate = new X509Certificate(pem);
      const isOurs = certificate.verify(authority.publicKey);
      const isTimely =
        Date.parse(certificate.validFrom) <= nowMs && Date.parse(certificate.validTo) > nowMs + RENEWED_MS;
      return isOurs && isTimely && (pem !== serverCert || hasNames(certificate));
    });
  } catch {
    return false;
  }
}

function hasNames(certificate: X509Certificate): boolean {
  const isNamed = NAMES.every((name) => certificate.checkHost(name) !== undefined);
  return isNamed && ADDRESSES.every((address) => certificate.checkIP(address) !== undefined);
}

async function make(folder: string): Promise<void> {
  const at = (name: string): string => join(folder, name);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  // An authority of its own name each time: kubectl and browsers must not take one for the other.
  const name = `sluice-kube-api-${createHash('sha256').update(randomBytes(16)).digest('hex').slice(0, 8)}`;
  const extensions = CA_EXTENSIONS.flatMap((one) => ['-addext', one]);
  const ca = ['-x509', '-days', String(DAYS), '-subj', `/CN=${name}`, ...extensions];
  await openssl(['req', ...key, ...ca, '-keyout', at('ca.key'), '-out', at('ca.crt')]);
  const names = [...NAMES.map((one) => `DNS:${one}`), ...ADDRESSES.map((one) => `IP:${one}`)].join(',');
  const leaves = [
    ['server', '/CN=sluice-kube-api', `extendedKeyUsage=serverAuth\nsubjectAltName=${names}\n`],
    ['client', CLIENT, 'extendedKeyUsage=clientAuth\n'],
  ] as const;
  for (const [leaf, subject, purpose] of leaves) {
    writeFileSync(
      at('extensions'),
      `basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n${purpose}`,
    );
    await openssl(['req', ...key, '-subj', subject, '-keyout', at(`${leaf}.key`), '-out', at('request')]);
    const signer = ['-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-set_serial', `0x${randomBytes(16).toString('hex')}`];
    const what = ['-req', '-in', at('request'), '-days', String(DAYS), '-extfile', at('extensions')];
    await openssl(['x509', ...what, ...signer, '-out', at(`${leaf}.crt`)]);
  }
  for (const left of ['extensions', 'request']) rmSync(at(left));
  for (const file of ['ca.key', ...Object.values(FILES)]) chmodSync(at(file), 0o600);
}

async function openssl(args: readonly string[]): Promise<void> {
  await run('openssl', args);
}
