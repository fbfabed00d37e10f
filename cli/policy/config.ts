/**
 * Policy options for the offline commands, from a file: `sluice.yaml` (its `policy:` section), a `cilium-config` ConfigMap, or a
 * plain map of option names. Options that have nothing to do with policy are left alone.
 *
 * A ConfigMap holds texts only ("true", "nodes pods"), so every value is first turned into what its option's default is like.
 */
import { readFileSync } from 'node:fs';
import type { Reader } from '../../policy/document/reader.ts';
import { any, map, openObject } from '../../policy/document/shape.ts';
import { readYaml } from '../../policy/document/yaml.ts';
import { labelPatternProblem } from '../../policy/rule/label-filter.ts';
import { DEFAULT_OPTIONS, OPTION_WORDS, type PolicyConfig } from '../../policy/rule/options.ts';
import { formatProblem, hasErrors, quote } from '../../policy/rule/problems.ts';
import { Failure } from '../terminal/failure.ts';

type Values = Readonly<Record<string, unknown>>;

const FILE = openObject({ data: map(any), policy: map(any) });

/** Names that `sluice.yaml` and cilium-config have for our options. */
const ALIASES: Readonly<Record<string, string>> = {
  'policy-semantics': 'semantics',
  clusterName: 'cluster-name',
  nodeName: 'node-name',
};

const WORDS: Readonly<Record<string, readonly string[]>> = OPTION_WORDS;

/**
 * @param file path; undefined = the defaults
 * @param semantics beats what the file says
 * @throws Failure when the file cannot be read, or an option has a value that it cannot have
 */
export function loadPolicyConfig(file: string | undefined, semantics: PolicyConfig['semantics']): PolicyConfig {
  const config = file === undefined ? {} : readConfig(file);
  return semantics === undefined ? config : { ...config, semantics };
}

function readConfig(file: string): PolicyConfig {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new Failure(`read ${file}: ${(error as NodeJS.ErrnoException).code}: check the --config argument`);
  }
  const { value, reader } = readYaml(text, file, FILE);
  const config = optionsOf((value ?? {}) as Values, reader);
  if (hasErrors(reader.problems)) throw new Failure(reader.problems.map(formatProblem).join('\n'));
  return config;
}

function optionsOf(file: Values, reader: Reader): PolicyConfig {
  const isConfigMap = file['kind'] === 'ConfigMap';
  const sections = isConfigMap ? ['data.'] : ['', 'policy.'];
  const config: Record<string, unknown> = {};
  for (const section of sections) {
    const values = (section === '' ? file : (file[section.slice(0, -1)] ?? {})) as Values;
    for (const [key, value] of Object.entries(values)) {
      const name = ALIASES[key] ?? key;
      if (Object.hasOwn(DEFAULT_OPTIONS, name)) config[name] = convert(name, value, section + key, reader);
    }
  }
  const given = (isConfigMap ? file['data'] : file) as Values | undefined;
  // cilium-config says this in two options.
  const [ipv4, ipv6] = [given?.['enable-ipv4'], given?.['enable-ipv6']];
  if (ipv4 !== undefined && ipv6 !== undefined) config['dual-stack'] ??= isTrue(ipv4) && isTrue(ipv6);
  return config;
}

function isTrue(value: unknown): boolean {
  return value === true || value === 'true';
}

function convert(name: string, value: unknown, path: string, reader: Reader): unknown {
  const refuse = (found: unknown, wanted: string): void =>
    reader.problem(path, 'option', `read ${name}: found ${quote(found)}, wanted ${wanted}`);
  const like: unknown = DEFAULT_OPTIONS[name as keyof PolicyConfig];
  const isText = (one: unknown): boolean => one !== null && typeof one !== 'object';
  if (typeof like === 'boolean') {
    if (!isText(value) || (String(value) !== 'true' && String(value) !== 'false')) refuse(value, 'true or false');
    return isTrue(value);
  }
  const isList = Array.isArray(like);
  if (!(Array.isArray(value) && isList ? value.every(isText) : isText(value))) {
    refuse(value, isList ? 'a list of texts' : 'a text');
    return like;
  }
  const words = isList ? wordsOf(value) : [String(value)];
  const known = Object.hasOwn(WORDS, name) ? WORDS[name] : words;
  for (const word of words) {
    const wanted = name === 'labels' ? labelPatternProblem(word) : undefined;
    if (!known.includes(word)) refuse(word, `one of ${known.join(', ')}`);
    else if (wanted !== undefined) refuse(word, wanted);
  }
  return isList ? words : words[0];
}

/** A list, or a text that is one in a ConfigMap: `nodes pods`, `nodes,pods`. */
function wordsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.map(String);
  return String(value)
    .split(/[\s,]+/)
    .filter(Boolean);
}
