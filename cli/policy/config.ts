/**
 * Policy options for the offline commands, from a file: `sluice.yaml` (its `policy:` section), a `cilium-config` ConfigMap, or a
 * plain map of option names. Options that have nothing to do with policy are left alone.
 */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { DEFAULT_OPTIONS, type PolicyConfig } from '../../policy/rule/options.ts';
import { EXIT, Failure } from '../terminal/failure.ts';

type Values = Readonly<Record<string, unknown>>;

/** Names that `sluice.yaml` and cilium-config have for our options. */
const ALIASES: Readonly<Record<string, string>> = {
  'policy-semantics': 'semantics',
  clusterName: 'cluster-name',
  nodeName: 'node-name',
};

/** Options that are one of these words, or a list of them. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  'enable-policy': ['default', 'always', 'never'],
  'allow-localhost': ['auto', 'always', 'policy'],
  'policy-cidr-match-mode': ['nodes', 'pods'],
  semantics: ['cilium', 'kubernetes'],
};

/**
 * @param file path; undefined = the defaults
 * @param semantics beats what the file says
 * @throws Failure when the file cannot be read, or an option has a value that it cannot have
 */
export function loadPolicyConfig(file: string | undefined, semantics: PolicyConfig['semantics']): PolicyConfig {
  const config = file === undefined ? {} : optionsOf(file, readYaml(file));
  return semantics === undefined ? config : { ...config, semantics };
}

function readYaml(file: string): Values {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new Failure(`read ${file}: ${(error as NodeJS.ErrnoException).code}: check the --config argument`);
  }
  try {
    return (parse(text) as Values | null) ?? {};
  } catch (error) {
    throw new Failure(`read ${file}: ${(error as Error).message.split('\n')[0]}`);
  }
}

function optionsOf(file: string, document: Values): PolicyConfig {
  const isConfigMap = document['kind'] === 'ConfigMap';
  const given: Values = isConfigMap
    ? ((document['data'] as Values | undefined) ?? {})
    : { ...document, ...(document['policy'] as Values) };
  const config: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(given)) {
    const name = ALIASES[key] ?? key;
    if (!Object.hasOwn(DEFAULT_OPTIONS, name)) continue;
    config[name] = convert(file, name, value);
    for (const word of [config[name]].flat())
      if (name in WORDS && !WORDS[name].includes(word as string))
        throw new Failure(`read ${file}: ${name}: found '${String(word)}', wanted ${WORDS[name].join(', ')}`);
  }
  // cilium-config says this in two options.
  const [ipv4, ipv6] = [given['enable-ipv4'], given['enable-ipv6']];
  if (ipv4 !== undefined && ipv6 !== undefined) config['dual-stack'] ??= isTrue(ipv4) && isTrue(ipv6);
  return config;
}

function isTrue(value: unknown): boolean {
  return value === true || value === 'true';
}

function convert(file: string, name: string, value: unknown): unknown {
  const like: unknown = DEFAULT_OPTIONS[name as keyof typeof DEFAULT_OPTIONS];
  if (Array.isArray(like))
    return Array.isArray(value)
      ? value
      : String(value)
          .split(/[\s,]+/)
          .filter(Boolean);
  if (typeof like === 'boolean') {
    if (String(value) === 'true' || String(value) === 'false') return String(value) === 'true';
    throw new Failure(`read ${file}: ${name}: found '${String(value)}', wanted true or false`, EXIT.FAILED);
  }
  return String(value);
}
