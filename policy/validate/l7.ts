/** Checks of single HTTP and Kafka rules, and of what people write in path patterns and do not mean. */
import { RE2JS } from 're2js';
import type { CiliumPortRule } from '../document/cilium-document.ts';
import { API_KEY_NAMES } from '../../wire/kafka.ts';
import { nearest, quote } from '../rule/problems.ts';
import type { Reader } from '../document/reader.ts';

type Http = NonNullable<NonNullable<CiliumPortRule['rules']>['http']>[number];

/** @param isRaw `http-normalize-path` is false for this policy */
export function checkHttp(http: Http, path: string, reader: Reader, isRaw: boolean): void {
  for (const field of ['path', 'method'] as const) {
    const pattern = http[field];
    if (pattern === undefined) continue;
    try {
      RE2JS.compile(pattern);
    } catch (error) {
      reader.problem(
        `${path}.${field}`,
        'regex',
        `read ${field}: found ${quote(pattern)}, wanted a regular expression: ${(error as Error).message}`,
      );
    }
  }
  if (http.path !== undefined) warnPath(http.path, `${path}.path`, reader, isRaw);
  if (http.method !== undefined) warnMethod(http.method, `${path}.method`, reader);
  http.headerMatches?.forEach((match, i) => {
    const place = `${path}.headerMatches[${i}]`;
    if ((match.name ?? '') === '')
      reader.problem(place, 'header-name', 'read headerMatches: found no name, wanted one');
    const { secret } = match as { secret?: { name?: string } };
    if (secret !== undefined) {
      if ((secret.name ?? '') === '') {
        reader.problem(`${place}.secret`, 'secret-name', 'read secret: found no name, wanted one');
      }
    }
  });
}

/** The pattern must match the whole request target, query string included. */
function warnPath(pattern: string, path: string, reader: Reader, isRaw: boolean): void {
  const warn = (code: string, message: string, hint: string): void => {
    reader.warn(path, code, `read path: ${message}`, hint);
  };
  const shown = quote(pattern);
  if (pattern !== '' && !/^[\^(]*[/.[\\*]/.test(pattern)) {
    warn(
      'path-slash',
      `found ${shown}, wanted a pattern that begins with /`,
      'a request target begins with /: this matches none',
    );
  }
  if (pattern.slice(1).replaceAll('[^', '').includes('^')) {
    warn('path-anchor', `found ^ inside ${shown}, wanted it at the start only`, 'it can never match there');
  }
  if (/^\/[\w\-/]*$/.test(pattern) && PREFIX_HABIT.test(pattern)) {
    const below = quote(pattern.endsWith('/') ? `${pattern}.*` : `${pattern}(/.*)?`);
    warn(
      'path-prefix',
      `found ${shown}, wanted a pattern for the whole path`,
      `it matches this one path; for what is below write ${below}`,
    );
  }
  const stepped = isRaw ? stepsAround(pattern) : undefined; // else such a path is refused, or judged where it leads
  if (stepped !== undefined) {
    const hint =
      'with http-normalize-path false a path is judged only as it came: exclude dots and escapes, as in [^.%]*';
    warn(
      'path-escape',
      `found ${shown}, which matches ${quote(stepped)} too, wanted one that stays below its prefix`,
      hint,
    );
  }
}

/** What people write when they mean everything below. */
const PREFIX_HABIT = /\/$|\/(?:api|v\d+|admin|static|assets)$/;

/** A path that leaves the literal prefix of the pattern and is matched all the same. */
function stepsAround(pattern: string): string | undefined {
  const prefix = /^\^?(\/[\w\-/]*\/)/.exec(pattern)?.[1];
  if (prefix === undefined || prefix === '/') return undefined;
  return [`${prefix}../x`, `${prefix}%2e%2e/x`].find((path) => {
    try {
      return RE2JS.compile(pattern).matches(path);
    } catch {
      return false;
    }
  });
}

function warnMethod(method: string, path: string, reader: Reader): void {
  if (/^[a-z|]+$/.test(method)) {
    reader.warn(
      path,
      'method-case',
      `read method: found ${quote(method)}, wanted upper case`,
      `methods are case sensitive: write ${quote(method.toUpperCase())}`,
    );
  }
}

type Kafka = NonNullable<NonNullable<CiliumPortRule['rules']>['kafka']>[number];

export function checkKafka(kafka: Kafka, path: string, reader: Reader): void {
  if (kafka.role !== undefined && kafka.apiKey !== undefined) {
    reader.problem(`${path}.apiKey`, 'kafka-role', 'read kafka: found role and apiKey, wanted one of them');
  }
  if (kafka.apiKey !== undefined && kafka.apiKey !== '' && !API_KEY_NAMES.includes(kafka.apiKey.toLowerCase())) {
    const near = nearest(kafka.apiKey, API_KEY_NAMES);
    reader.problem(
      `${path}.apiKey`,
      'kafka-key',
      `read apiKey: found ${quote(kafka.apiKey)}, wanted a Kafka request name`,
      near !== undefined ? `did you mean ${quote(near)}?` : undefined,
    );
  }
  if (kafka.apiVersion !== undefined && kafka.apiVersion !== '' && !/^\d{1,5}$/.test(kafka.apiVersion)) {
    reader.problem(
      `${path}.apiVersion`,
      'kafka-version',
      `read apiVersion: found ${quote(kafka.apiVersion)}, wanted an integer`,
    );
  }
  if (kafka.topic !== undefined && !/^[a-zA-Z0-9._-]{0,255}$/.test(kafka.topic)) {
    reader.problem(
      `${path}.topic`,
      'kafka-topic',
      `read topic: found ${quote(kafka.topic)}, wanted at most 255 letters, digits, '.', '_' or '-'`,
    );
  }
}
