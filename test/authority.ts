/** Certificates for tests: an authority, and what it signs, in a directory. Made by the `openssl` program. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface Signed {
  readonly cert: string;
  readonly key: string;
  readonly certPath: string;
  readonly keyPath: string;
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

export class Authority {
  readonly caPath: string;
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    this.caPath = join(directory, 'ca.crt');
    const args = ['req', '-x509', ...NEW_KEY, '-days', '2', '-subj', '/CN=authority'];
    openssl([...args, '-keyout', join(directory, 'ca.key'), '-out', this.caPath]);
  }

  get ca(): string {
    return readFileSync(this.caPath, 'utf8');
  }

  /** @param subject `/CN=NAME` @param names alternative names of a server: `IP:127.0.0.1` */
  sign(name: string, subject: string, names = ''): Signed {
    const [keyPath, csr, certPath, extensions] = ['key', 'csr', 'crt', 'ext'].map((end) =>
      join(this.#directory, `${name}.${end}`),
    );
    openssl(['req', ...NEW_KEY, '-subj', subject, '-keyout', keyPath, '-out', csr]);
    writeFileSync(extensions, names === '' ? '' : `subjectAltName=${names}\n`);
    const signing = ['-CA', this.caPath, '-CAkey', join(this.#directory, 'ca.key'), '-CAcreateserial', '-days', '2'];
    openssl(['x509', '-req', '-in', csr, ...signing, '-extfile', extensions, '-out', certPath]);
    return { cert: readFileSync(certPath, 'utf8'), key: readFileSync(keyPath, 'utf8'), certPath, keyPath };
  }
}

function openssl(args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'ignore' });
}
