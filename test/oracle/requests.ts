/** Whether a request is one that a rule describes; facts 4. */
import type { Document } from './parties.ts';
import { namePattern } from './peers.ts';

export interface Requests {
  readonly http: {
    readonly method: string;
    /** With its query string. */
    readonly path: string;
    readonly host: string;
    /** Names in lower case. */
    readonly headers: Readonly<Record<string, string>>;
  };
  /** The name asked for. */
  readonly dns: string;
  readonly kafka: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly clientID: string;
    readonly topics: readonly string[];
  };
  /** The name in the ClientHello; undefined = it has none. */
  readonly serverName: string | undefined;
}

const wholly = (pattern: string | undefined, text: string): boolean =>
  pattern === undefined || pattern === '' || new RegExp(`^(?:${pattern})$`).test(text);

export function httpMatches(rule: Document, { method, path, host, headers }: Requests['http']): boolean {
  const has = (name: string, value?: string): boolean => {
    const found = headers[name.toLowerCase()];
    return found !== undefined && (value === undefined || found === value);
  };
  return (
    wholly(rule.method, method) &&
    wholly(rule.path, path) &&
    wholly(rule.host, host) &&
    // `Name`, `Name: value` or `Name value`
    (rule.headers ?? []).every((text: string) => {
      const [, name, value] = /^([^: ]+)(?::? +(.*))?$/.exec(text)!;
      return has(name, value);
    }) &&
    // A mismatch with an action changes the request instead of refusing it.
    (rule.headerMatches ?? []).every(({ name, value, mismatch = '' }: Document) => mismatch !== '' || has(name, value))
  );
}

export const dnsMatches = (rule: Document, name: string): boolean => namePattern(rule).test(normal(name));
export const serverNameMatches = (pattern: string, name: string): boolean =>
  namePattern({ matchPattern: pattern }).test(normal(name));

const normal = (name: string): string => name.toLowerCase().replace(/\.$/, '');

const KAFKA_KEYS: Record<string, number> = { produce: 0, fetch: 1, metadata: 3, heartbeat: 12, apiversions: 18 };
const KAFKA_ROLES: Record<string, number[]> = {
  produce: [0, 3, 18],
  consume: [1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 18],
};

/** Every topic of the request must be allowed by some rule; a request without topics by any rule. */
export function kafkaAllows(list: readonly Document[], request: Requests['kafka']): boolean {
  const fitting = list.filter((rule) => {
    if (rule.role !== undefined && !KAFKA_ROLES[rule.role].includes(request.apiKey)) return false;
    if (rule.apiKey !== undefined && KAFKA_KEYS[rule.apiKey] !== request.apiKey) return false;
    if (rule.apiVersion !== undefined && Number(rule.apiVersion) !== request.apiVersion) return false;
    return rule.clientID === undefined || rule.clientID === request.clientID;
  });
  if (request.topics.length === 0) return fitting.length > 0;
  return request.topics.every((topic) => fitting.some((rule) => rule.topic === undefined || rule.topic === topic));
}
