/**
 * A kubeconfig: clusters, users and the contexts that pair them. One context of it is an access. Of what a kubeconfig may hold,
 * auth-provider (which Kubernetes itself no longer has) and impersonation are refused; whatever else is unknown is of others, and is left alone.
 */
import { readFileSync } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';
import { any, boolean, list, object, openObject, type Shape, string } from '../policy/document/shape.ts';
import { readYaml } from '../policy/document/yaml.ts';
import { formatProblem, hasErrors } from '../policy/rule/problems.ts';
import { type Access, AccessError, type ExecPlugin, type TextSource, type UserAccess } from './access.ts';

const MAX_KUBECONFIG = 4 << 20;

const CLUSTER = openObject({
  server: string,
  'certificate-authority': string,
  'certificate-authority-data': string,
  'insecure-skip-tls-verify': boolean,
  'tls-server-name': string,
  'proxy-url': string,
});

const EXEC = openObject(
  {
    apiVersion: string,
    command: string,
    args: list(string),
    env: list(object({ name: string, value: string }, ['name', 'value'])),
    interactiveMode: string,
    provideClusterInfo: boolean,
    installHint: string,
  },
  ['apiVersion', 'command'],
);

const USER = openObject({
  'client-certificate': string,
  'client-certificate-data': string,
  'client-key': string,
  'client-key-data': string,
  token: string,
  tokenFile: string,
  username: string,
  password: string,
  exec: EXEC,
  'auth-provider': any,
  as: string,
});

const named = (key: string, shape: Shape): Shape => list(openObject({ name: string, [key]: shape }, ['name', key]));

const KUBECONFIG = openObject({
  'current-context': string,
  clusters: named('cluster', CLUSTER),
  users: named('user', USER),
  contexts: named('context', openObject({ cluster: string, user: string }, ['cluster'])),
});

interface Config {
  readonly 'current-context'?: string;
  readonly clusters?: readonly { readonly name: string; readonly cluster: Cluster }[];
  readonly users?: readonly { readonly name: string; readonly user: User }[];
  readonly contexts?: readonly { readonly name: string; readonly context: { cluster: string; user?: string } }[];
}

interface Cluster {
  readonly server?: string;
  readonly 'insecure-skip-tls-verify'?: boolean;
  readonly 'tls-server-name'?: string;
  readonly 'proxy-url'?: string;
}

interface User {
  readonly token?: string;
  readonly tokenFile?: string;
  readonly username?: string;
  readonly password?: string;
  readonly exec?: ExecEntry;
}

interface ExecEntry {
  readonly apiVersion: string;
  readonly command: string;
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly interactiveMode?: string;
  readonly provideClusterInfo?: boolean;
  readonly installHint?: string;
}

/**
 * Reads a kubeconfig.
 * @param context its current one when ''
 * @throws AccessError naming everything that is wrong with it
 */
export function readKubeconfig(path: string, context = ''): Access {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new AccessError(`read kubeconfig: ${(error as Error).message}`);
  }
  if (text.length > MAX_KUBECONFIG)
    throw new AccessError(`read ${path}: found ${text.length} bytes, wanted a kubeconfig`);
  return accessOf(text, path, context);
}

function accessOf(text: string, path: string, context: string): Access {
  const { value, reader } = readYaml(text, path, KUBECONFIG);
  const errors = reader.problems.filter(({ severity }) => severity === 'error');
  if (hasErrors(errors)) throw new AccessError(errors.map(formatProblem).join('\n'));
  const config = (value ?? {}) as Config;
  const name = context === '' ? (config['current-context'] ?? '') : context;
  const entry = pick(config.contexts, name, { path, what: 'context' }).context;
  const { cluster } = pick(config.clusters, entry.cluster, { path, what: 'cluster' });
  const { user = '' } = entry;
  const found = user === '' ? {} : pick(config.users, user, { path, what: 'user' }).user;
  const place = { path, file: (one: string) => (isAbsolute(one) ? one : resolve(dirname(path), one)) };
  return {
    ...clusterAccess(cluster, entry.cluster, place),
    name: `${path} (${name})`,
    user: userAccess(found, user, place),
  };
}

interface Place {
  readonly path: string;
  /** Files are named from the folder of the kubeconfig. */
  readonly file: (name: string) => string;
}

function pick<T extends { readonly name: string }>(
  entries: readonly T[] | undefined,
  name: string,
  { path, what }: { path: string; what: string },
): T {
  const found = entries?.find((entry) => entry.name === name);
  if (found !== undefined) return found;
  const names = entries?.map((entry) => entry.name).join(', ') || 'none';
  throw new AccessError(`read ${path}: found no ${what} "${name}", wanted one of its ${what}s: ${names}`);
}

function clusterAccess(cluster: Cluster, name: string, place: Place): Omit<Access, 'name' | 'user'> {
  const { server = '', 'tls-server-name': serverName, 'proxy-url': proxy } = cluster;
  const url = URL.canParse(server) ? new URL(server) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '')
    throw new AccessError(
      `read ${place.path}: found the server "${server}" of cluster ${name}, wanted https://HOST:PORT`,
    );
  if (proxy !== undefined && !(URL.canParse(proxy) && /^https?:$/.test(new URL(proxy).protocol)))
    throw new AccessError(
      `read ${place.path}: found proxy-url "${proxy}", wanted http://HOST:PORT or https://HOST:PORT`,
    );
  const ca = source(cluster, 'certificate-authority', place);
  return {
    server: url.href.replace(/\/+$/, ''),
    isInsecure: cluster['insecure-skip-tls-verify'] === true,
    ...(ca !== undefined && { ca }),
    ...(serverName !== undefined && { serverName }),
    ...(proxy !== undefined && proxy !== '' && { proxy }),
  };
}

function userAccess(user: User, name: string, place: Place): UserAccess {
  for (const field of ['auth-provider', 'as'])
    if (field in user)
      throw new AccessError(
        `read ${place.path}: found ${field} of user ${name}, wanted a token, a certificate or exec`,
      );
  const cert = source(user, 'client-certificate', place);
  const key = source(user, 'client-key', place);
  if ((cert === undefined) !== (key === undefined))
    throw new AccessError(`read ${place.path}: found half a client certificate of user ${name}, wanted it and its key`);
  const { token, tokenFile, username, password = '', exec } = user;
  // A file is renewed, a token that stands beside it is what it held once.
  const given = tokenFile ? { path: place.file(tokenFile) } : token ? { text: token } : undefined;
  return {
    ...(given !== undefined && { token: given }),
    ...(cert !== undefined && key !== undefined && { certificate: { cert, key } }),
    ...(username !== undefined && { basic: { username, password } }),
    ...(exec !== undefined && { exec: execPlugin(exec, name, place) }),
  };
}

function execPlugin(exec: ExecEntry, user: string, { path, file }: Place): ExecPlugin {
  const {
    apiVersion,
    command,
    args = [],
    env = [],
    interactiveMode,
    provideClusterInfo = false,
    installHint = '',
  } = exec;
  if (!/^client\.authentication\.k8s\.io\/v1(beta1)?$/.test(apiVersion))
    throw new AccessError(
      `read ${path}: found exec of ${apiVersion} for user ${user}, wanted client.authentication.k8s.io/v1`,
    );
  if (interactiveMode === 'Always')
    throw new AccessError(
      `read ${path}: found interactiveMode Always of user ${user}, wanted a plugin that asks nobody`,
    );
  return {
    apiVersion,
    command: command.includes('/') ? file(command) : command,
    args,
    env: Object.fromEntries(env.map((one) => [one.name, one.value])),
    provideClusterInfo,
    installHint,
  };
}

/** `KEY-data` in base64 counts before the file of `KEY`. */
function source(entry: object, key: string, { path, file }: Place): TextSource | undefined {
  const texts = entry as Readonly<Record<string, string | undefined>>;
  const data = texts[`${key}-data`];
  if (data) {
    const text = Buffer.from(data, 'base64').toString('utf8');
    if (text.includes('-----BEGIN ')) return { text };
    throw new AccessError(`read ${path}: found ${key}-data that is no PEM in base64, wanted one`);
  }
  const name = texts[key];
  return name ? { path: file(name) } : undefined;
}
