/** The access that Kubernetes gives each pod: a token and a certificate in files that are renewed, an address in the environment. */
import { existsSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { type Access, AccessError } from './access.ts';

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** @throws AccessError when this is no pod */
export function inClusterAccess(
  env: Readonly<Record<string, string | undefined>> = process.env,
  directory = SERVICE_ACCOUNT,
): Access {
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '443' } = env;
  const token = join(directory, 'token');
  const found = host === '' ? 'no KUBERNETES_SERVICE_HOST in the environment' : `no ${token}`;
  if (host === '' || !existsSync(token))
    throw new AccessError(`use in-cluster: found ${found}, wanted a pod with a service account`);
  return {
    name: 'in-cluster',
    server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`,
    ca: { path: join(directory, 'ca.crt') },
    isInsecure: false,
    user: { token: { path: token } },
  };
}
