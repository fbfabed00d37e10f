/**
 * Secrets: values that header conditions of policies compare with. From Secret objects, and from files of the node, which count
 * before an object of the same name, as in Cilium. Nothing here is ever printed: problems name secrets and keys, never values.
 */
import type { SecretSpec } from './rule/spec.ts';
import type { SecretRef } from '../policy-maps/l7-rules.ts';

/** What a secret says of a header, or why it says nothing. */
export type SecretValue = { readonly value: string } | { readonly missing: string };

/** A header line must not become two, and no server takes these. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get into a head
const UNFIT = /[\x00-\x08\x0a-\x1f\x7f]/;

export class SecretTable {
  readonly #objects = new Map<string, SecretSpec>();
  #files = new Map<string, SecretSpec>();
  readonly #touched = new Set<string>();

  set(secret: SecretSpec): void {
    this.#objects.set(secretKey(secret), secret);
    this.#touched.add(secretKey(secret));
  }

  remove(namespace: string, name: string): void {
    const key = secretKey({ namespace, name });
    if (this.#objects.delete(key)) this.#touched.add(key);
  }

  /** All that files say now. */
  setFiles(secrets: readonly SecretSpec[]): void {
    for (const key of this.#files.keys()) this.#touched.add(key);
    this.#files = new Map(secrets.map((secret) => [secretKey(secret), secret]));
    for (const key of this.#files.keys()) this.#touched.add(key);
  }

  /** `namespace/name` of those that may have changed since the last call. */
  takeTouched(): ReadonlySet<string> {
    const touched = new Set(this.#touched);
    this.#touched.clear();
    return touched;
  }

  /** The value of its only key; of several, that of the key called as the secret is. */
  valueOf(ref: SecretRef): SecretValue {
    const key = secretKey(ref);
    const secret = this.#files.get(key) ?? this.#objects.get(key);
    if (secret === undefined) return { missing: 'found no such secret' };
    const { values } = secret;
    const value = values.size === 1 ? [...values.values()][0] : values.get(ref.name);
    if (value === undefined) return { missing: `found ${values.size} keys, none of them ${ref.name}` };
    if (value === '') return { missing: 'found an empty value' };
    return UNFIT.test(value) ? { missing: 'found a value with a line end or control character' } : { value };
  }
}

/** `namespace/name` */
export function secretKey({ namespace, name }: SecretRef): string {
  return `${namespace}/${name}`;
}
