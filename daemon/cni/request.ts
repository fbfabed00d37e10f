/**
 * What a container runtime asks, as the plugin passes it on: its environment and its configuration, checked. Whoever calls is root,
 * but names of pods are their authors', and what is accepted here goes into commands and paths.
 */
import { isIP } from 'node:net';
import { CNI_CODES, CniError } from './cni-error.ts';
import { checkLabels, type Labels } from './labels.ts';
import { readPrevious, type PreviousResult } from './previous-result.ts';

/** Oldest first. */
export const CNI_VERSIONS = ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;
export type CniVersion = (typeof CNI_VERSIONS)[number];

const COMMANDS = ['ADD', 'DEL', 'CHECK', 'STATUS', 'GC'] as const;
export type Command = (typeof COMMANDS)[number];

/** What names an attachment. */
export interface AttachmentName {
  readonly containerId: string;
  readonly ifname: string;
}

/** What a program said that the plugin ran for us. */
export interface Outcome {
  readonly kind: string;
  readonly exit: number;
  readonly output: string;
  readonly problem: string;
}

export interface CniRequest extends AttachmentName {
  readonly command: Command;
  readonly netns: string;
  /** Of CNI_ARGS. */
  readonly args: Readonly<Record<string, string>>;
  readonly config: NetworkConfig;
  readonly outcomes: readonly Outcome[];
}

/** The configuration of a network, as far as it matters. */
export interface NetworkConfig {
  readonly cniVersion: CniVersion;
  readonly name: string;
  /** 0 = the agent's. */
  readonly mtu: number;
  /** Of pods that come without one. */
  readonly namespace: string;
  /** Program that tells containers' labels; none for an empty list. */
  readonly podman: readonly string[];
  /** The delegated IPAM plugin; '' = addresses are ours. */
  readonly ipam: string;
  /** Present in a chain. */
  readonly previous: PreviousResult | undefined;
  /** Of `args.cni.labels`. */
  readonly labels: Labels;
  /** Of the runtime, for this pod. */
  readonly mac: string;
  readonly ips: readonly string[];
  readonly annotations: Readonly<Record<string, string>>;
  /** What GC leaves. */
  readonly valid: readonly AttachmentName[];
}

/** The version that an error is told in, whatever else is wrong with the configuration. */
export function versionOf(configText: string): string {
  try {
    const { cniVersion } = JSON.parse(configText) as { cniVersion?: unknown };
    return typeof cniVersion === 'string' ? cniVersion : '1.0.0';
  } catch {
    return '1.0.0';
  }
}

type Fields = Readonly<Record<string, unknown>>;

/** What the plugin sends. */
export interface PluginCall {
  readonly environment: Readonly<Record<string, string>>;
  readonly config: string;
  readonly outcomes: readonly Outcome[];
  /** The plugin's arguments, where netavark started it; else absent. */
  readonly netavark?: readonly string[];
}

/** @throws CniError saying what is wrong with the call */
export function readRequest({ environment, config, outcomes }: PluginCall): CniRequest {
  const command = COMMANDS.find((one) => one === environment['CNI_COMMAND']);
  if (command === undefined) throw new CniError(CNI_CODES.environment, `CNI_COMMAND: wanted ${COMMANDS.join(', ')}`);
  const read = readConfig(config, command);
  checkEnvironment(environment, command);
  const { CNI_CONTAINERID: containerId = '', CNI_IFNAME: ifname = '', CNI_NETNS: netns = '' } = environment;
  return { command, containerId, ifname, netns, args: readArgs(environment['CNI_ARGS'] ?? ''), config: read, outcomes };
}

const NEEDED: Readonly<Record<Command, readonly string[]>> = {
  ADD: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  CHECK: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  DEL: ['CNI_CONTAINERID', 'CNI_IFNAME'],
  GC: [],
  STATUS: [],
};

/** What each variable must look like. Interface names and paths go into shell scripts, so they are narrower than the kernel's. */
const FORMS: Readonly<Record<string, { form: RegExp; wanted: string }>> = {
  CNI_CONTAINERID: { form: /^[A-Za-z0-9][A-Za-z0-9_.-]{0,254}$/, wanted: 'letters, digits, "_", "." and "-"' },
  CNI_IFNAME: { form: /^(?!\.{1,2}$)[A-Za-z0-9_.][A-Za-z0-9_.-]{0,14}$/, wanted: 'at most 15 of [A-Za-z0-9_.-]' },
  CNI_NETNS: { form: /^\/(?!.*\.\.)[A-Za-z0-9._/-]{1,249}$/, wanted: 'the absolute path of a network namespace' },
};

function checkEnvironment(environment: Readonly<Record<string, string>>, command: Command): void {
  const missing = NEEDED[command].filter((name) => (environment[name] ?? '') === '');
  if (missing.length > 0)
    throw new CniError(CNI_CODES.environment, `${missing.join(', ')}: found nothing, ${command} needs it`);
  for (const name of NEEDED[command]) {
    const { form, wanted } = FORMS[name];
    const found = environment[name] ?? '';
    if (!form.test(found)) throw new CniError(CNI_CODES.environment, `${name}: found "${found}", wanted ${wanted}`);
  }
}

/** `K=V;K=V`; keys that nobody knows are let be, whether IgnoreUnknown is among them or not. */
function readArgs(text: string): Record<string, string> {
  const args: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const part of text.split(';')) {
    const at = part.indexOf('=');
    if (at > 0) args[part.slice(0, at).trim()] = part.slice(at + 1);
  }
  return args;
}

function readConfig(text: string, command: Command): NetworkConfig {
  const config = parseObject(text, 'the network configuration');
  const version = config['cniVersion'];
  const cniVersion = CNI_VERSIONS.find((one) => one === version);
  if (cniVersion === undefined) {
    const message = `cniVersion: found ${JSON.stringify(version ?? '')}, wanted ${CNI_VERSIONS.join(', ')}`;
    throw new CniError(CNI_CODES.version, message);
  }
  const least = { CHECK: '0.4.0', STATUS: '1.1.0', GC: '1.1.0' }[command as string];
  if (least !== undefined && cniVersion < least)
    throw new CniError(CNI_CODES.version, `cniVersion: found ${cniVersion}, ${command} is of ${least} and later`);
  const name = textIn(config, 'name');
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name))
    throw new CniError(CNI_CODES.config, `name: found ${JSON.stringify(name)}, wanted the name of a network`);
  const runtime = objectIn(config, 'runtimeConfig');
  refusePortMappings(runtime);
  const ipam = objectIn(config, 'ipam');
  return {
    cniVersion,
    name,
    mtu: mtuIn(config),
    namespace: namespaceIn(config),
    podman: podmanIn(config),
    ipam: textIn(ipam, 'type', 'ipam.type'),
    previous: config['prevResult'] == null ? undefined : readPrevious(objectIn(config, 'prevResult')),
    labels: conventionalLabels(config),
    mac: macIn(runtime),
    ips: ipsIn(runtime),
    annotations: textsOf(objectIn(runtime, ANNOTATIONS_CAPABILITY)),
    valid: validIn(config),
  };
}

/** containerd and CRI-O tell a pod's annotations under it, to plugins that declare the capability. */
const ANNOTATIONS_CAPABILITY = 'io.kubernetes.cri.pod-annotations';

function parseObject(text: string, what: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new CniError(CNI_CODES.decode, `read ${what}: found no JSON`, (error as Error).message);
  }
  if (!isObject(value)) throw new CniError(CNI_CODES.decode, `read ${what}: wanted a JSON object`);
  return value;
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function objectIn(fields: Fields, key: string): Fields {
  const value = fields[key] ?? {};
  if (isObject(value)) return value;
  throw new CniError(CNI_CODES.config, `${key}: wanted an object`);
}

function textIn(fields: Fields, key: string, path = key): string {
  const value = fields[key] ?? '';
  if (typeof value === 'string') return value;
  throw new CniError(CNI_CODES.config, `${path}: wanted a string`);
}

function textsOf(fields: Fields): Record<string, string> {
  const texts = Object.entries(fields).filter((one): one is [string, string] => typeof one[1] === 'string');
  return Object.fromEntries(texts);
}

/** A runtime hands mappings to whoever says that it does them: of those that nobody does, nobody would know. */
function refusePortMappings(runtime: Fields): void {
  const mappings = runtime['portMappings'];
  if (!Array.isArray(mappings) || mappings.length === 0) return;
  const found = `runtimeConfig.portMappings: found ${JSON.stringify(mappings).slice(0, 200)}`;
  const advice = 'put the plugin portmap behind this one, and the capability portMappings with it';
  throw new CniError(CNI_CODES.unsupported, `${found}, wanted none: ${advice}`);
}

function mtuIn(config: Fields): number {
  const mtu = config['mtu'] ?? 0;
  const isMtu = typeof mtu === 'number' && Number.isInteger(mtu) && (mtu === 0 || (mtu >= 576 && mtu <= 65521));
  if (isMtu) return mtu;
  throw new CniError(CNI_CODES.config, `mtu: found ${JSON.stringify(mtu)}, wanted a number from 576 to 65521`);
}

function namespaceIn(config: Fields): string {
  const namespace = config['namespace'] === undefined ? 'default' : textIn(config, 'namespace');
  if (/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(namespace)) return namespace;
  throw new CniError(CNI_CODES.config, `namespace: found ${JSON.stringify(namespace)}, wanted the name of a namespace`);
}

/** `true`, or the command with its options. */
function podmanIn(config: Fields): readonly string[] {
  const value = config['podman'] ?? false;
  if (value === false) return [];
  if (value === true) return ['podman'];
  const isCommand = (one: unknown) => typeof one === 'string' && /^[^\0\n]+$/.test(one);
  if (Array.isArray(value) && value.length > 0 && value.length <= 8 && value.every(isCommand)) return value as string[];
  throw new CniError(
    CNI_CODES.config,
    'podman: wanted true, or at most 8 words of a command: ["podman", "--root", ...]',
  );
}

/** `args.cni.labels`, as CNI's conventions have them. */
function conventionalLabels(config: Fields): Labels {
  const list = objectIn(objectIn(config, 'args'), 'cni')['labels'] ?? [];
  if (!Array.isArray(list)) throw new CniError(CNI_CODES.config, 'args.cni.labels: wanted [{"key", "value"}]');
  const labels = list.map((one: unknown) => {
    const { key, value } = isObject(one) ? one : {};
    if (typeof key === 'string' && typeof value === 'string') return [key, value] as const;
    throw new CniError(CNI_CODES.config, 'args.cni.labels: wanted [{"key", "value"}]');
  });
  return checkLabels(Object.fromEntries(labels), 'args.cni.labels');
}

function macIn(runtime: Fields): string {
  const mac = textIn(runtime, 'mac', 'runtimeConfig.mac').toLowerCase();
  if (mac === '' || (/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac) && (Number.parseInt(mac, 16) & 1) === 0)) return mac;
  throw new CniError(CNI_CODES.config, `runtimeConfig.mac: found ${JSON.stringify(mac)}, wanted a unicast MAC`);
}

/** Addresses alone: a length of prefix says nothing here. */
function ipsIn(runtime: Fields): string[] {
  const list = runtime['ips'] ?? [];
  if (!Array.isArray(list)) throw new CniError(CNI_CODES.config, 'runtimeConfig.ips: wanted a list of addresses');
  return list.map((one: unknown) => {
    const [address] = typeof one === 'string' ? one.split('/') : [''];
    if (isIP(address) !== 0 && !address.includes('%')) return address;
    throw new CniError(CNI_CODES.config, `runtimeConfig.ips: found ${JSON.stringify(one)}, wanted an address`);
  });
}

/** Runtimes leave the key out where the list is empty. */
function validIn(config: Fields): readonly AttachmentName[] {
  const list = config['cni.dev/valid-attachments'] ?? [];
  if (!Array.isArray(list)) throw new CniError(CNI_CODES.config, 'cni.dev/valid-attachments: wanted a list');
  return list.map((one: unknown) => {
    const { containerID, ifname } = isObject(one) ? one : {};
    if (typeof containerID === 'string' && typeof ifname === 'string') return { containerId: containerID, ifname };
    // What cannot be read might be one to be kept.
    throw new CniError(CNI_CODES.config, 'cni.dev/valid-attachments: wanted [{"containerID", "ifname"}]');
  });
}
