/**
 * What a request presents: a token or a certificate, as fresh as they are. Files are looked at again when they have changed; a plugin is asked
 * again when what it gave runs out, or was refused.
 */
import { readFileSync, statSync } from 'node:fs';
import type { Access, TextSource } from './access.ts';
import { askPlugin, type PluginCredential } from './exec-plugin.ts';

/** Before the end of what a plugin gave it is asked for the next. */
const MARGIN_MS = 10_000;
/** A plugin whose credential was refused is asked again no sooner. */
const REFUSED_PAUSE_MS = 5000;

/** '' = none. */
export interface Presented {
  readonly authorization: string;
  readonly cert: string;
  readonly key: string;
}

/** A file whose text is read again when it has changed. */
class RenewedFile {
  readonly #source: TextSource;
  #signature = '';
  #text = '';

  constructor(source: TextSource) {
    this.#source = source;
  }

  /** @throws SystemError when the file cannot be read */
  read(): string {
    if ('text' in this.#source) return this.#source.text;
    const { ino, size, mtimeMs } = statSync(this.#source.path);
    const signature = `${ino}:${size}:${mtimeMs}`;
    if (signature !== this.#signature) {
      this.#text = readFileSync(this.#source.path, 'utf8').trim();
      this.#signature = signature;
    }
    return this.#text;
  }
}

export class Credentials {
  readonly #access: Access;
  readonly #token: RenewedFile | undefined;
  readonly #cert: RenewedFile | undefined;
  readonly #key: RenewedFile | undefined;
  readonly #nowMs: () => number;
  #given: PluginCredential | undefined;
  #asking: Promise<PluginCredential> | undefined;
  #askedMs = -Infinity;

  constructor(access: Access, nowMs: () => number = Date.now) {
    this.#access = access;
    this.#nowMs = nowMs;
    const { token, certificate } = access.user;
    this.#token = token && new RenewedFile(token);
    this.#cert = certificate && new RenewedFile(certificate.cert);
    this.#key = certificate && new RenewedFile(certificate.key);
  }

  /** @throws Error when a file cannot be read, or a plugin fails */
  async current(): Promise<Presented> {
    const { exec, basic } = this.#access.user;
    const token = this.#token?.read() ?? '';
    const given = exec === undefined || token !== '' ? undefined : await this.#ask();
    const bearer = given?.token ?? token;
    const named = basic && `Basic ${Buffer.from(`${basic.username}:${basic.password}`).toString('base64')}`;
    return {
      authorization: bearer === '' ? (named ?? '') : `Bearer ${bearer}`,
      cert: given?.cert || this.#cert?.read() || '',
      key: given?.key || this.#key?.read() || '',
    };
  }

  /** The server has refused what `current` gave. */
  refused(): void {
    if (this.#nowMs() - this.#askedMs > REFUSED_PAUSE_MS) this.#given = undefined;
  }

  async #ask(): Promise<PluginCredential> {
    const given = this.#given;
    if (given !== undefined && this.#nowMs() < given.expiresMs - MARGIN_MS) return given;
    this.#asking ??= askPlugin(this.#access).finally(() => (this.#asking = undefined));
    const answer = await this.#asking;
    this.#given = answer;
    this.#askedMs = this.#nowMs();
    return answer;
  }
}
