/**
 * How to reach an API server, and as whom: what a kubeconfig or a pod's service account say, with files named but not yet read. What
 * files hold is read when it is used (credentials.ts, client.ts), since tokens and certificates are renewed in place.
 */

/** A text that is given, or lies in a file that is read again and again. */
export type TextSource = { readonly text: string } | { readonly path: string };

/** A program that gives credentials. */
export interface ExecPlugin {
  readonly apiVersion: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly provideClusterInfo: boolean;
  readonly installHint: string;
}

/** As whom: none of these is nobody. */
export interface UserAccess {
  readonly token?: TextSource;
  readonly certificate?: { readonly cert: TextSource; readonly key: TextSource };
  readonly basic?: { readonly username: string; readonly password: string };
  readonly exec?: ExecPlugin;
}

export interface Access {
  /** What it is called in sentences: the context, or `in-cluster`. */
  readonly name: string;
  /** `https://host:port`, perhaps with a path; without a slash at the end. */
  readonly server: string;
  /** Undefined = the authorities that Node knows. */
  readonly ca?: TextSource;
  /** Whoever answers is believed. */
  readonly isInsecure: boolean;
  /** Name in the server's certificate, when it is not that of the URL. */
  readonly serverName?: string;
  readonly proxy?: string;
  readonly user: UserAccess;
}

/** An access that cannot be used: what was found, what was wanted. */
export class AccessError extends Error {
  override readonly name = 'AccessError';
}

/**
 * Refuses what would send credentials to anybody who answers.
 * @param mayBeInsecure whether the configuration says that this is wanted
 */
export function requireSecure(access: Access, mayBeInsecure: boolean): Access {
  const { name, server, isInsecure } = access;
  const { protocol } = new URL(server);
  if (mayBeInsecure || (protocol === 'https:' && !isInsecure)) return access;
  const found = protocol === 'https:' ? 'insecure-skip-tls-verify' : `the server ${server}`;
  throw new AccessError(
    `use ${name}: found ${found}, wanted https with a certificate that is checked: ` +
      'set kubernetes-insecure: true to send credentials to whoever answers',
  );
}
