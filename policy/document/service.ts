/** Services and what stands behind them, from their documents to the values that the cluster works with. */
import { impossibleUse } from './address.ts';
import type { Document } from './document.ts';
import {
  type EndpointPortDocument,
  type EndpointsAddress,
  type EndpointsObject,
  type FamilyWord,
  isHeadless,
  listed,
  LOAD_BALANCER_CLASSES,
  SERVICE_ANNOTATIONS,
  SERVICE_NAME,
  type ServiceDocument,
  type ServiceObject,
  type ServicePortDocument,
  type SliceEndpointDocument,
  type SliceObject,
} from './service-document.ts';
import {
  type Algorithm,
  DEFAULT_WEIGHT,
  type EndpointPort,
  type EndpointSliceSpec,
  type Family,
  type LoadBalancerSpec,
  type ServicePort,
  type ServiceSpec,
  type SliceEndpoint,
} from '../rule/service-spec.ts';
import { protocolNumbers } from '../../wire/protocols.ts';

/** The time a client stays with its backend, unless the document says another; seconds. */
export const AFFINITY_SEC = 10_800;

export function serviceFromDocument(document: Document): ServiceSpec {
  const { namespace, name, labels, annotations, object, file, line } = document;
  const { spec = {} } = object as ServiceObject;
  const { type = 'ClusterIP', selector = {} } = spec;
  const algorithm = annotations[SERVICE_ANNOTATIONS.algorithm] as Algorithm | undefined;
  const isNamed = type === 'ExternalName';
  return {
    namespace,
    name,
    labels,
    selector: isNamed ? {} : selector,
    type,
    isHeadless: isHeadless(spec),
    ports: isNamed ? [] : (spec.ports ?? []).map(portFrom),
    clusterIPs: givenAddresses(spec),
    families: (spec.ipFamilies ?? []).map(familyOf),
    familyPolicy: spec.ipFamilyPolicy ?? policyOf(spec),
    externalIPs: isNamed ? [] : (spec.externalIPs ?? []),
    loadBalancer: loadBalancerFrom(document),
    externalName: isNamed ? (spec.externalName ?? '').replace(/\.$/, '') : '',
    affinitySec: affinityOf(spec),
    isExternalLocal: spec.externalTrafficPolicy === 'Local',
    isInternalLocal: spec.internalTrafficPolicy === 'Local',
    publishesNotReady: spec.publishNotReadyAddresses === true,
    ...(algorithm !== undefined && { algorithm }),
    file,
    line,
  };
}

function affinityOf({ sessionAffinity, sessionAffinityConfig }: ServiceDocument): number {
  return sessionAffinity === 'ClientIP' ? (sessionAffinityConfig?.clientIP?.timeoutSeconds ?? AFFINITY_SEC) : 0;
}

/** Addresses of its own that a Service gives, each once. */
function givenAddresses({ clusterIP = '', clusterIPs = [] }: ServiceDocument): string[] {
  const all = new Set([clusterIP, ...clusterIPs]);
  return [...all].filter((text) => text !== '' && text !== 'None');
}

/** Two families or addresses that are given are asked for. */
function policyOf(spec: ServiceDocument): ServiceSpec['familyPolicy'] {
  const isDual = givenAddresses(spec).length > 1 || (spec.ipFamilies?.length ?? 0) > 1;
  return isDual ? 'RequireDualStack' : 'SingleStack';
}

function familyOf(word: FamilyWord): Family {
  return word === 'IPv4' ? 4 : 6;
}

function portFrom({
  name = '',
  protocol = 'TCP',
  port = 0,
  targetPort,
  nodePort = 0,
}: ServicePortDocument): ServicePort {
  const target = targetPort === undefined || targetPort === 0 || targetPort === '' ? port : targetPort;
  return { name, protocol: protocolNumbers(protocol)[0], port, target, nodePort };
}

function loadBalancerFrom({ annotations, object }: Document): LoadBalancerSpec {
  const { spec = {}, status } = object as ServiceObject;
  const isBalanced = spec.type === 'LoadBalancer';
  const { loadBalancerClass, allocateLoadBalancerNodePorts, loadBalancerSourceRanges } = spec;
  return {
    addresses: isBalanced ? balancerAddresses({ spec, status, annotations }) : [],
    isOurs: isBalanced && (loadBalancerClass === undefined || LOAD_BALANCER_CLASSES.includes(loadBalancerClass)),
    hasNodePorts: isBalanced && allocateLoadBalancerNodePorts !== false,
    sourceRanges: isBalanced ? (loadBalancerSourceRanges ?? listed(annotations[SERVICE_ANNOTATIONS.sourceRanges])) : [],
    deniesRanges: annotations[SERVICE_ANNOTATIONS.rangesPolicy] === 'deny',
  };
}

/** What its status says counts before what it asks for. */
function balancerAddresses({
  spec = {},
  status,
  annotations,
}: {
  spec?: ServiceDocument;
  status: ServiceObject['status'] | undefined;
  annotations: Document['annotations'];
}): string[] {
  const told = (status?.loadBalancer?.ingress ?? []).flatMap(({ ip = '' }) =>
    ip === '' || impossibleUse(ip) !== '' ? [] : [ip],
  );
  if (told.length > 0) return told;
  const { loadBalancerIPs, loadBalancerIPsOfOld } = SERVICE_ANNOTATIONS;
  const asked = listed(annotations[loadBalancerIPs] ?? annotations[loadBalancerIPsOfOld]);
  return asked.length > 0 ? asked : listed(spec.loadBalancerIP);
}

/** EndpointSlice, or the older Endpoints. */
export function endpointSliceFromDocument(document: Document): EndpointSliceSpec {
  const { namespace, name, labels, annotations, object } = document;
  const weight = Number(annotations[SERVICE_ANNOTATIONS.weight] ?? DEFAULT_WEIGHT);
  if (document.kind === 'Endpoints') {
    const { subsets = [] } = object as EndpointsObject;
    const read = subsets.map(({ addresses = [], notReadyAddresses = [], ports = [] }) => ({
      endpoints: [...addresses.map((one) => listedAddress(one, true)), ...notReadyAddresses.map((one) => listedAddress(one, false))],
      ports: ports.map(endpointPort),
    })); // biome-ignore format: one thought
    return { namespace, name: `endpoints/${name}`, service: name, weight, subsets: read };
  }
  const { endpoints = [], ports = [], addressType } = object as SliceObject;
  const subset = { endpoints: endpoints.map(sliceEndpoint), ports: ports.map(endpointPort) };
  return {
    namespace,
    name,
    service: labels[SERVICE_NAME] ?? '',
    weight,
    subsets: addressType === 'FQDN' ? [] : [subset],
  };
}

/** What is not said of an endpoint is taken for ready, as Kubernetes says. */
function sliceEndpoint({
  addresses = [],
  conditions = {},
  hostname = '',
  nodeName = '',
}: SliceEndpointDocument): SliceEndpoint {
  const isTerminating = conditions.terminating === true;
  const isReady = conditions.ready ?? !isTerminating;
  const isServing = conditions.serving ?? isReady;
  return {
    addresses: addresses.filter((one) => one !== ''),
    isReady: isReady && !isTerminating,
    isServing,
    isTerminating,
    hostname,
    nodeName,
  };
}

function listedAddress({ ip = '', hostname = '', nodeName = '' }: EndpointsAddress, isReady: boolean): SliceEndpoint {
  return { addresses: ip === '' ? [] : [ip], isReady, isServing: isReady, isTerminating: false, hostname, nodeName };
}

function endpointPort({ name = '', protocol = 'TCP', port = 0 }: EndpointPortDocument): EndpointPort {
  return { name, protocol: protocolNumbers(protocol)[0], port };
}
