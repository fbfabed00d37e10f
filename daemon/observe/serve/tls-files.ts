/**
 * Certificate, key and authorities of a listener, from files that others renew. They are looked at every LOOK_MS and taken
 * when their contents have changed, links in between included (a Kubernetes secret is swapped by a link). New contents that make
 * no usable pair are told and not taken: half of a renewal must not end the service.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';

const LOOK_MS = 5000;

/** Paths; with authorities, a client must have a certificate that one of them signed. */
export interface TlsPaths {
  readonly cert: string;
  readonly key: string;
  readonly clientAuthorities: readonly string[];
}

/** What a TLS server is made of. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca?: Buffer[];
  readonly requestCert: boolean;
  readonly rejectUnauthorized: boolean;
  readonly minVersion: 'TLSv1.3';
}

export class TlsFiles {
  readonly #paths: TlsPaths;
  #onChange: (material: TlsMaterial) => void = () => undefined;
  #material: TlsMaterial;
  #timer: NodeJS.Timeout | undefined;
  #problem = '';

  /** @throws Error when the files cannot be read or do not fit each other */
  constructor(paths: TlsPaths) {
    this.#paths = paths;
    this.#material = readMaterial(paths);
  }

  get material(): TlsMaterial {
    return this.#material;
  }

  /** Why the files as they are now were not taken; '' when they were. */
  get problem(): string {
    return this.#problem;
  }

  /** The first DNS name of the certificate; '' when it has none. */
  get serverName(): string {
    const { subjectAltName = '' } = new X509Certificate(this.#material.cert);
    return /DNS:([^,\s]+)/.exec(subjectAltName)?.[1] ?? '';
  }

  /** Looks for new contents from now on. */
  watch(onChange: (material: TlsMaterial) => void): void {
    this.#onChange = onChange;
    this.#timer = setInterval(() => this.look(), LOOK_MS);
    this.#timer.unref();
  }

  /** Looks now. */
  look(): void {
    try {
      const now = readMaterial(this.#paths);
      this.#problem = '';
      if (isSame(now, this.#material)) return;
      this.#material = now;
      this.#onChange(now);
    } catch (error) {
      this.#problem = (error as Error).message;
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

function readMaterial({ cert, key, clientAuthorities }: TlsPaths): TlsMaterial {
  const hasAuthorities = clientAuthorities.length > 0;
  const material = {
    cert: readFileSync(cert),
    key: readFileSync(key),
    ...(hasAuthorities ? { ca: clientAuthorities.map((path) => readFileSync(path)) } : {}),
    requestCert: hasAuthorities,
    rejectUnauthorized: hasAuthorities,
    minVersion: 'TLSv1.3',
  } as const;
  try {
    createSecureContext(material);
  } catch (error) {
    throw new Error(`read ${cert} and ${key}: found ${(error as Error).message}, wanted a certificate and its key`, {
      cause: error,
    });
  }
  return material;
}

function isSame(a: TlsMaterial, b: TlsMaterial): boolean {
  const all = ({ cert, key, ca = [] }: TlsMaterial) => Buffer.concat([cert, key, ...ca]);
  return all(a).equals(all(b));
}
