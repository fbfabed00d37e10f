/**
 * What the Kubernetes API refuses in a Service although its shape is right, and what we read and do not do. That an address
 * lies in no range of this instance, or is taken, is said by who hands addresses out.
 */
import { isIP } from 'node:net';
import { checkAddress, checkMachineAddress, impossibleUse } from '../document/address.ts';
import { joinPath } from '../document/document-path.ts';
import type { Reader } from '../document/reader.ts';
import {
  isHeadless,
  LOAD_BALANCER_CLASSES,
  listed,
  SERVICE_ANNOTATIONS,
  type ServiceDocument,
  type ServiceObject,
  type ServicePortDocument,
  type Written,
} from '../document/service-document.ts';
import { isServiceName } from '../rule/port.ts';
import { quote } from '../rule/problems.ts';
import { isDnsLabel, isDnsSubdomain } from './names.ts';
import { checkCidr } from './peers.ts';

/** Node ports are given from this range, as the API server's default has it. */
export const NODE_PORT_RANGE = { first: 30_000, last: 32_767 } as const;

const MAX_PORTS = 1_000;

export function validateService({ annotations, object }: Written, reader: Reader): void {
  const { spec, status } = object as ServiceObject;
  if (spec === undefined) {
    if (!reader.isReported('spec')) reader.problem('spec', 'missing-field', 'read service: found no spec, wanted one');
    return;
  }
  const check = new ServiceCheck(spec, reader);
  check.ports();
  check.addresses();
  check.families();
  check.outside();
  check.onlyWith();
  checkAnnotations(annotations, reader);
  status?.loadBalancer?.ingress?.forEach(({ ip }, i) => {
    if (ip !== undefined) checkBalancer(ip, `status.loadBalancer.ingress[${i}].ip`, reader);
  });
}

/** What somebody else's cluster has said of its load balancer (minikube: 127.0.0.1) is no reason to refuse the rest. */
function checkBalancer(ip: string, path: string, reader: Reader): void {
  if (!checkAddress(ip, path, reader)) return;
  const use = impossibleUse(ip);
  if (use === '') return;
  const message = `read address: found ${use} address, ${ip}, wanted one of a load balancer`;
  reader.warn(path, 'address', message, 'it is ignored');
}

class ServiceCheck {
  readonly #spec: ServiceDocument;
  readonly #reader: Reader;
  readonly #type: NonNullable<ServiceDocument['type']>;

  constructor(spec: ServiceDocument, reader: Reader) {
    this.#spec = spec;
    this.#reader = reader;
    this.#type = spec.type ?? 'ClusterIP';
  }

  get #isHeadless(): boolean {
    return isHeadless(this.#spec);
  }

  ports(): void {
    const { ports = [] } = this.#spec;
    if (
      ports.length === 0 &&
      !this.#isHeadless &&
      this.#type !== 'ExternalName' &&
      !this.#reader.isReported('spec.ports')
    ) {
      this.#wrong('ports', 'missing-field', 'found no ports, wanted one at least', 'only a headless service has none');
    }
    if (ports.length > MAX_PORTS)
      this.#wrong('ports', 'too-many-ports', `found ${ports.length}, wanted at most ${MAX_PORTS}`);
    const seen = new Map<string, string>();
    ports.forEach((port, i) => this.#port(port, `ports[${i}]`, seen));
  }

  /** @param seen what must be of one port alone, and which has it */
  #port(port: ServicePortDocument, path: string, seen: Map<string, string>): void {
    const { name = '', protocol = 'TCP', targetPort, nodePort = 0 } = port;
    if (name === '' && (this.#spec.ports ?? []).length > 1) {
      this.#wrong(`${path}.name`, 'port-name', 'found no name, wanted one: there are several ports');
    } else if (name !== '' && !isDnsLabel(name)) {
      this.#wrong(
        `${path}.name`,
        'port-name',
        `found ${quote(name)}, wanted lower-case letters, digits and '-', at most 63`,
      );
    }
    if (port.port === undefined && !this.#reader.isReported(`spec.${path}.port`)) {
      this.#wrong(`${path}.port`, 'missing-field', 'found no port, wanted one');
    }
    this.#target(targetPort, `${path}.targetPort`);
    this.#nodePort(nodePort, `${path}.nodePort`);
    if (name !== '') this.#once(`the name ${name}`, `${path}.name`, seen);
    if (port.port !== undefined) this.#once(`port ${port.port}/${protocol}`, `${path}.port`, seen);
    if (nodePort !== 0) this.#once(`node port ${nodePort}/${protocol}`, `${path}.nodePort`, seen);
  }

  #target(target: number | string | undefined, path: string): void {
    if (typeof target === 'number') {
      if (target >= 0 && target <= 65_535) return;
      this.#wrong(path, 'out-of-range', `found ${target}, wanted 1 to 65535, or the name of a container port`);
    } else if (target !== undefined && target !== '' && !isServiceName(target)) {
      const hint = /^\d+$/.test(target) ? `write ${target} without quotes` : undefined;
      const wanted = "1 to 65535, or at most 15 lower-case letters, digits and '-'";
      this.#wrong(path, 'port', `found ${quote(target)}, wanted ${wanted}`, hint);
    }
  }

  #nodePort(port: number, path: string): void {
    const { first, last } = NODE_PORT_RANGE;
    if (port === 0) return;
    if (this.#type !== 'NodePort' && this.#type !== 'LoadBalancer') {
      this.#wrong(
        path,
        'node-port',
        `found ${port} in a service of type ${this.#type}, wanted type NodePort or LoadBalancer`,
      );
    } else if (port < first || port > last) {
      this.#wrong(path, 'out-of-range', `found ${port}, wanted ${first} to ${last}`);
    }
  }

  #once(what: string, path: string, seen: Map<string, string>): void {
    const other = seen.get(what);
    if (other === undefined) seen.set(what, path);
    else this.#wrong(path, 'twice', `found ${what} again, wanted it once: spec.${other} has it`);
  }

  addresses(): void {
    const { clusterIP, clusterIPs = [] } = this.#spec;
    const given = [
      ...(clusterIP === undefined || clusterIP === '' ? [] : [{ path: 'clusterIP', text: clusterIP }]),
      ...clusterIPs.map((text, i) => ({ path: `clusterIPs[${i}]`, text })),
    ];
    if (this.#type === 'ExternalName' && given.length > 0) {
      this.#wrong(given[0].path, 'cluster-ip', 'found an address in a service of type ExternalName, wanted none');
      return;
    }
    for (const { path, text } of given) if (text !== 'None') checkAddress(text, `spec.${path}`, this.#reader);
    if (clusterIP !== undefined && clusterIPs.length > 0 && clusterIPs[0] !== clusterIP) {
      this.#wrong(
        'clusterIPs[0]',
        'cluster-ip',
        `found ${quote(clusterIPs[0])}, wanted ${quote(clusterIP)}, as clusterIP says`,
      );
    }
    if (clusterIPs.length > 1 && clusterIPs.includes('None')) {
      this.#wrong('clusterIPs', 'cluster-ip', 'found None beside an address, wanted one or the other');
    }
    const families = clusterIPs.map((text) => isIP(text)).filter((family) => family !== 0);
    if (clusterIPs.length > 2 || new Set(families).size < families.length) {
      this.#wrong('clusterIPs', 'cluster-ip', `found ${clusterIPs.join(', ')}, wanted at most one a family`);
    }
    if (this.#isHeadless && (this.#type === 'NodePort' || this.#type === 'LoadBalancer')) {
      this.#wrong('clusterIP', 'cluster-ip', `found None in a service of type ${this.#type}, wanted type ClusterIP`);
    }
  }

  families(): void {
    const { ipFamilies = [], ipFamilyPolicy, clusterIP, clusterIPs } = this.#spec;
    if (this.#type === 'ExternalName') {
      if (ipFamilies.length > 0)
        this.#wrong('ipFamilies', 'families', 'found families of a service of type ExternalName, wanted none');
      if (ipFamilyPolicy !== undefined)
        this.#wrong('ipFamilyPolicy', 'families', 'found a policy of a service of type ExternalName, wanted none');
      return;
    }
    if (new Set(ipFamilies).size < ipFamilies.length) {
      this.#wrong('ipFamilies', 'families', `found ${ipFamilies.join(', ')}, wanted each once`);
    }
    const addresses = clusterIPs ?? (clusterIP === undefined ? [] : [clusterIP]);
    const count = Math.max(ipFamilies.length, addresses.length);
    if (ipFamilyPolicy === 'SingleStack' && count > 1) {
      this.#wrong(
        'ipFamilyPolicy',
        'families',
        `found SingleStack beside ${count} families, wanted PreferDualStack or RequireDualStack`,
      );
    }
    addresses.forEach((text, i) => {
      const [found, wanted] = [`IPv${isIP(text)}`, ipFamilies[i] as string | undefined];
      if (isIP(text) === 0 || wanted === undefined || found === wanted) return;
      const path = clusterIPs === undefined ? 'clusterIP' : `clusterIPs[${i}]`;
      this.#wrong(path, 'families', `found the ${found} address ${text}, wanted one of ${wanted}, as ipFamilies says`);
    });
  }

  outside(): void {
    const { externalIPs = [], externalName, loadBalancerIP, loadBalancerSourceRanges = [] } = this.#spec;
    externalIPs.forEach((text, i) => checkMachineAddress(text, `spec.externalIPs[${i}]`, this.#reader));
    loadBalancerSourceRanges.forEach((text, i) =>
      checkCidr(text.trim(), `spec.loadBalancerSourceRanges[${i}]`, this.#reader),
    );
    if (loadBalancerIP !== undefined && loadBalancerIP !== '') {
      for (const text of listed(loadBalancerIP)) checkMachineAddress(text, 'spec.loadBalancerIP', this.#reader);
    }
    if (this.#type !== 'ExternalName') return;
    const name = (externalName ?? '').replace(/\.$/, '');
    if (isDnsSubdomain(name)) return;
    const found = externalName === undefined ? 'none' : quote(externalName);
    this.#wrong('externalName', 'external-name', `found ${found}, wanted a DNS name in lower case`);
  }

  /** Fields that only some types have. */
  onlyWith(): void {
    const { externalIPs = [], externalTrafficPolicy, healthCheckNodePort = 0 } = this.#spec;
    const isBalanced = this.#type === 'LoadBalancer';
    const isOutside = isBalanced || this.#type === 'NodePort' || externalIPs.length > 0;
    if (externalTrafficPolicy !== undefined && !isOutside) {
      const wanted = 'NodePort, LoadBalancer, or externalIPs';
      this.#wrong(
        'externalTrafficPolicy',
        'only-with',
        `found it in a service of type ${this.#type}, wanted ${wanted}`,
      );
    }
    const ofBalancers = ['loadBalancerSourceRanges', 'loadBalancerClass', 'allocateLoadBalancerNodePorts'] as const;
    for (const field of ofBalancers) {
      const value = this.#spec[field];
      const isGiven = Array.isArray(value) ? value.length > 0 : value !== undefined;
      if (!isGiven || isBalanced) continue;
      this.#wrong(field, 'only-with', `found it in a service of type ${this.#type}, wanted type LoadBalancer`);
    }
    if (healthCheckNodePort !== 0) this.#healthPort(isBalanced && externalTrafficPolicy === 'Local');
    if (this.#spec.sessionAffinityConfig !== undefined && this.#spec.sessionAffinity !== 'ClientIP') {
      this.#wrong(
        'sessionAffinityConfig',
        'only-with',
        'found it without sessionAffinity: ClientIP, wanted both or none',
      );
    }
    this.#warnOfUndone();
  }

  #healthPort(isFitting: boolean): void {
    if (isFitting) {
      const message = 'read healthCheckNodePort: found a port, wanted none: nothing answers health checks there yet';
      this.#reader.warn(
        'spec.healthCheckNodePort',
        'undone',
        message,
        'a load balancer outside takes this node for dead',
      );
      return;
    }
    const wanted = 'type LoadBalancer with externalTrafficPolicy: Local';
    this.#wrong('healthCheckNodePort', 'only-with', `found it elsewhere, wanted ${wanted}`);
  }

  #warnOfUndone(): void {
    const { loadBalancerClass, trafficDistribution } = this.#spec;
    if (loadBalancerClass !== undefined && !LOAD_BALANCER_CLASSES.includes(loadBalancerClass)) {
      const message = `read loadBalancerClass: found ${quote(loadBalancerClass)}, wanted none or one of ${LOAD_BALANCER_CLASSES.join(', ')}`;
      this.#reader.warn(
        'spec.loadBalancerClass',
        'undone',
        message,
        'only addresses in its status are served, none is drawn',
      );
    }
    if (trafficDistribution !== undefined) {
      const message = `read trafficDistribution: found ${quote(trafficDistribution)}, wanted none: every backend is as near as another here`;
      this.#reader.warn('spec.trafficDistribution', 'undone', message, 'it is ignored');
    }
  }

  #wrong(field: string, code: string, found: string, hint?: string): void {
    this.#reader.problem(`spec.${field}`, code, `read service: ${found}`, hint);
  }
}

const WORDS: Readonly<Record<string, readonly string[]>> = {
  [SERVICE_ANNOTATIONS.algorithm]: ['random', 'maglev'],
  [SERVICE_ANNOTATIONS.rangesPolicy]: ['allow', 'deny'],
};

function checkAnnotations(annotations: Written['annotations'], reader: Reader): void {
  for (const [name, words] of Object.entries(WORDS)) {
    const text = annotations[name] as string | undefined;
    if (text === undefined || words.includes(text)) continue;
    const message = `read annotation: found ${quote(text)}, wanted ${words.join(' or ')}`;
    reader.problem(annotationPath(name), 'unknown-value', message);
  }
  for (const name of [SERVICE_ANNOTATIONS.loadBalancerIPs, SERVICE_ANNOTATIONS.loadBalancerIPsOfOld]) {
    for (const text of listed(annotations[name])) checkMachineAddress(text, annotationPath(name), reader);
  }
  const ranges = SERVICE_ANNOTATIONS.sourceRanges;
  for (const text of listed(annotations[ranges])) checkCidr(text, annotationPath(ranges), reader);
}

function annotationPath(name: string): string {
  return joinPath('metadata.annotations', name);
}
