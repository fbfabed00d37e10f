/**
 * What nobody else is to read, taken out of documents: by the place where it stands, and then by its text wherever else that occurs.
 *
 * Of objects that people write, what may be secret is hidden by place: values of Secrets and of other `data`, of environments,
 * commands, annotations of others, and headers. Of a container only members that are known to be harmless are kept. What was hidden
 * is remembered, so that a log or a problem that quotes it is cleaned as well; short texts are not, since they stand everywhere.
 */
import { Redaction } from '../../hubble/decode/redact.ts';
import type { Envelope, Flow } from '../../hubble/flow.ts';
import { HIDDEN } from '../../policy/validate/secret.ts';

type Members = Readonly<Record<string, unknown>>;

const SHORTEST_REMEMBERED = 6;
/** Texts that are remembered at most, since each is looked for everywhere; what is more is hidden by its place alone. */
const MOST_REMEMBERED = 1000;

const WHOLLY_HIDDEN = new Set(['data', 'stringData', 'binaryData', 'command', 'args', 'standIns']);
/** Lists of names with values, or of `NAME: VALUE`. */
const NAMED_VALUES = new Set(['env', 'headers', 'headerMatches', 'httpHeaders']);
const CONTAINERS = new Set(['containers', 'initContainers', 'ephemeralContainers']);
const CONTAINER_MEMBERS = new Set(['name', 'image', 'command', 'args', 'env', 'ports']);
/** Of whose annotations the meaning is known, and that none is secret. */
const OPEN_ANNOTATION = /(^|\.)(sluice|cilium)\.io\//;
const SECRET_WORD = /passw|secret|token|credential/i;
const HIDES_ALL = { enabled: true, 'http-urlquery': true, 'http-userinfo': true, 'kafka-apikey': true } as const;

export class Secrets {
  readonly #texts = new Set<string>();
  readonly #redaction = new Redaction({ ...HIDES_ALL, 'http-headers-allow': [], 'http-headers-deny': [] });

  /** More was hidden than is remembered: a text of others may still quote what was hidden. */
  isOverfull = false;

  /** A copy of a document with what may be secret in it hidden. */
  hide(document: unknown): unknown {
    return this.#walk(document, '');
  }

  /** As hide(), of a configuration: values of options whose names say that they are secret are hidden too, unless they are folders. */
  hideOptions(options: unknown): unknown {
    return this.#walk(options, '', (name) => SECRET_WORD.test(name) && !/(dir|path|file)s?$/i.test(name));
  }

  /** A flow without values of headers, queries of URLs and Kafka's requests. */
  hideFlow(envelope: Envelope): Envelope {
    const { flow } = envelope;
    const http = flow?.l7?.http;
    if (flow?.l7 === undefined) return envelope;
    // Its summary says the URL once more.
    const rest = Object.fromEntries(Object.entries(flow).filter(([name]) => name !== 'Summary')) as unknown as Flow;
    const headers = http?.headers?.map(({ key, value }) => ({ key, value: this.#redaction.header(key, value) }));
    const url = http?.url === undefined ? {} : { url: this.#redaction.url({ URL: http.url }) };
    const l7 = { ...flow.l7, ...(http && { http: { ...http, ...url, ...(headers && { headers }) } }) };
    return { ...envelope, flow: { ...rest, l7 } };
  }

  /** A text without what was hidden so far. */
  clean(text: string): string {
    let cleaned = text;
    for (const secret of this.#texts) if (cleaned.includes(secret)) cleaned = cleaned.replaceAll(secret, HIDDEN);
    return cleaned;
  }

  #walk(value: unknown, key: string, isSecret: (name: string) => boolean = () => false): unknown {
    if (typeof value !== 'object' || value === null)
      return isSecret(key) ? this.#hidden(value) : withoutPassword(value);
    if (WHOLLY_HIDDEN.has(key) || isSecret(key)) return this.#hidden(value);
    if (Array.isArray(value)) return value.map((one) => this.#item(one, key, isSecret));
    const members = Object.entries(value as Members).map(([name, member]): [string, unknown] => {
      const isOpen = key !== 'annotations' || OPEN_ANNOTATION.test(name);
      return [name, isOpen ? this.#walk(member, name, isSecret) : this.#hidden(member)];
    });
    return Object.fromEntries(members);
  }

  #item(item: unknown, key: string, isSecret: (name: string) => boolean): unknown {
    if (NAMED_VALUES.has(key)) return this.#named(item);
    if (!CONTAINERS.has(key)) return this.#walk(item, '', isSecret);
    if (typeof item !== 'object' || item === null) return this.#hidden(item);
    for (const [name, member] of Object.entries(item)) if (!CONTAINER_MEMBERS.has(name)) this.#hidden(member);
    return this.#walk(Object.fromEntries(Object.entries(item).filter(([name]) => CONTAINER_MEMBERS.has(name))), '');
  }

  /** `NAME: VALUE`, or an object with a name and whatever else: only the name stays, and which secret is meant. */
  #named(item: unknown): unknown {
    if (typeof item === 'string') {
      const at = item.search(/[:\s]/);
      return at < 0 ? item : `${item.slice(0, at)}: ${String(this.#hidden(item.slice(at + 1).trim()))}`;
    }
    if (typeof item !== 'object' || item === null) return this.#hidden(item);
    const isShown = (name: string): boolean => ['name', 'key', 'secret', 'mismatch'].includes(name);
    return Object.fromEntries(
      Object.entries(item).map(([name, member]) => [name, isShown(name) ? member : this.#hidden(member)]),
    );
  }

  /** The same shape with every value hidden. */
  #hidden(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((one) => this.#hidden(one));
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, this.#hidden(member)]));
    }
    if (typeof value === 'string') for (const text of [value, ...value.split(/[\r\n]+/)]) this.#remember(text.trim());
    return HIDDEN;
  }

  #remember(text: string): void {
    if (text.length < SHORTEST_REMEMBERED || text === HIDDEN || this.#texts.has(text)) return;
    if (this.#texts.size >= 3 * MOST_REMEMBERED) this.isOverfull = true;
    else for (const form of [text, quoted(text), Buffer.from(text).toString('base64')]) this.#texts.add(form);
  }
}

/** As it stands in JSON. */
function quoted(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** Of a URL in a configuration or a rule. */
function withoutPassword(value: unknown): unknown {
  return typeof value === 'string' && value.includes('@')
    ? value.replace(/([a-z][a-z0-9+.-]*:\/\/[^/?#@:\s]*):[^/?#\s]*@/gi, `$1:${HIDDEN}@`)
    : value;
}
