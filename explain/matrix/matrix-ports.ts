/**
 * The ports of a column of a matrix: those that were given, else the container ports of its pods, else those that
 * rules name for it, and one column for all others.
 */
import { PROTO_SCTP, PROTO_TCP, PROTO_UDP, protocolName, protocolNumbers } from '../../wire/protocols.ts';
import type { PolicyEntry } from '../../policy-maps/policy-entry.ts';
import { portText } from '../../policy-maps/printed-entry.ts';
import type { PolicyWorld } from '../world.ts';
import type { MatrixEnd } from './matrix-ends.ts';

export interface Port {
  /** The port that is judged; 0 stands for what no rule names. */
  readonly port: number;
  readonly protocol: number;
  /** `80/TCP`, `8000-8007/TCP`, `any/TCP`, `other/TCP` */
  readonly text: string;
}

/** Ports of rules that a column of its own is made for. */
const MAX_RULE_PORTS = 8;
const WITH_PORTS: readonly number[] = [PROTO_TCP, PROTO_UDP, PROTO_SCTP];

/** `80` or `53/UDP`. @throws SyntaxError */
export function readPort(text: string): Port {
  const [, port, name = 'TCP'] = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/i.exec(text) ?? [];
  if (port === undefined || Number(port) > 65535) {
    throw new SyntaxError(`found port '${text}', wanted a number, or 53/UDP`);
  }
  return portOf(Number(port), protocolNumbers(name.toUpperCase())[0]);
}

function portOf(port: number, protocol: number): Port {
  return { port, protocol, text: `${port}/${protocolName(protocol)}` };
}

interface ContainerSpec {
  readonly ports?: readonly { readonly containerPort: number; readonly protocol?: string }[];
}

/** Container ports by `namespace/pod`. */
export function containerPorts({ documents }: PolicyWorld): Map<string, Port[]> {
  const ports = new Map<string, Port[]>();
  for (const { kind, namespace, name, object } of documents) {
    if (kind !== 'Pod') continue;
    const { containers = [] } = (object['spec'] ?? {}) as { containers?: readonly ContainerSpec[] };
    const found = containers.flatMap((container) => container.ports ?? []);
    ports.set(
      `${namespace}/${name}`,
      found.map(({ containerPort, protocol = 'TCP' }) => portOf(containerPort, protocolNumbers(protocol)[0])),
    );
  }
  return ports;
}

/** Each port once, in order. */
export function distinctPorts(ports: readonly Port[]): Port[] {
  const byText = new Map(ports.map((port) => [port.text, port]));
  return [...byText.values()].sort((a, b) => a.protocol - b.protocol || a.port - b.port);
}

/**
 * Ports that rules name for a target: ingress rules of its pods, egress rules of the sources that mean it or anybody. Then what
 * stands for the ports that no rule names.
 * @returns also how many are left out
 */
export function rulePorts(
  world: PolicyWorld,
  target: MatrixEnd,
  sources: readonly MatrixEnd[],
): { readonly ports: readonly Port[]; readonly more: number } {
  const pods = (end: MatrixEnd) => (end.isPod ? end.classes.flatMap(([first]) => world.pod(first) ?? []) : []);
  const own = pods(target);
  const identities = new Set([0, ...own.flatMap(({ endpoint }) => endpoint?.identity ?? [])]);
  const named: PolicyEntry[] = [];
  for (const { endpoint } of own) named.push(...(endpoint?.entries ?? []).filter(({ egress }) => !egress));
  for (const { endpoint } of sources.flatMap(pods)) {
    const entries = endpoint?.entries ?? [];
    named.push(...entries.filter((one) => one.egress && (!target.isPod || identities.has(one.identity))));
  }
  const found = distinctPorts(
    named
      .filter(({ portPrefix, protocol }) => portPrefix > 0 && WITH_PORTS.includes(protocol))
      .map(({ port, portPrefix, protocol }) => ({ port, protocol, text: portText(protocol, port, portPrefix) })),
  );
  const rest = { port: 0, protocol: PROTO_TCP, text: found.length === 0 ? 'any/TCP' : 'other/TCP' };
  const shown = found.slice(0, MAX_RULE_PORTS);
  return { ports: [...shown, rest], more: found.length - shown.length };
}
