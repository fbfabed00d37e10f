/** Shapes of Service, EndpointSlice and Endpoints. A Service's spec is closed: a field that is misspelt would be one without effect. */
import { METADATA } from './schema-kubernetes.ts';
import { any, boolean, integer, integerOrString, list, map, object, openObject, oneOf, string } from './shape.ts';

const PROTOCOL = oneOf('TCP', 'UDP', 'SCTP');
const PORT = integer(1, 65535);
const TRAFFIC_POLICY = oneOf('Cluster', 'Local');

/** Nothing is required here: a port that lacks something stays in its place, so that problems of the others name theirs. */
const SERVICE_PORT = object({
  name: string,
  protocol: PROTOCOL,
  appProtocol: string,
  port: PORT,
  targetPort: integerOrString,
  nodePort: integer(0, 65535),
});

const SERVICE_SPEC = object({
  type: oneOf('ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'),
  selector: map(string),
  ports: list(SERVICE_PORT),
  clusterIP: string,
  clusterIPs: list(string),
  ipFamilies: list(oneOf('IPv4', 'IPv6')),
  ipFamilyPolicy: oneOf('SingleStack', 'PreferDualStack', 'RequireDualStack'),
  externalIPs: list(string),
  externalName: string,
  loadBalancerIP: string,
  loadBalancerSourceRanges: list(string),
  loadBalancerClass: string,
  allocateLoadBalancerNodePorts: boolean,
  healthCheckNodePort: integer(0, 65535),
  sessionAffinity: oneOf('None', 'ClientIP'),
  sessionAffinityConfig: object({ clientIP: object({ timeoutSeconds: integer(1, 86400) }) }),
  externalTrafficPolicy: TRAFFIC_POLICY,
  internalTrafficPolicy: TRAFFIC_POLICY,
  trafficDistribution: string,
  publishNotReadyAddresses: boolean,
});

const HEAD = { apiVersion: string, kind: string, metadata: METADATA };

export const SERVICE = openObject(
  {
    ...HEAD,
    spec: SERVICE_SPEC,
    status: openObject({
      loadBalancer: openObject({ ingress: list(openObject({ ip: string, hostname: string, ipMode: string })) }),
    }),
  },
  ['apiVersion', 'metadata'],
);

const ENDPOINT_PORT = { name: string, protocol: PROTOCOL, appProtocol: string, port: PORT };

export const ENDPOINT_SLICE = openObject(
  {
    ...HEAD,
    addressType: oneOf('IPv4', 'IPv6', 'FQDN'),
    endpoints: list(
      openObject({
        addresses: list(string),
        conditions: openObject({ ready: boolean, serving: boolean, terminating: boolean }),
        hostname: string,
        nodeName: string,
        zone: string,
        targetRef: any,
        hints: any,
      }),
    ),
    ports: list(openObject(ENDPOINT_PORT)),
  },
  ['apiVersion', 'metadata'],
);

const ENDPOINT_ADDRESSES = list(openObject({ ip: string, hostname: string, nodeName: string, targetRef: any }));

export const ENDPOINTS = openObject(
  {
    ...HEAD,
    subsets: list(
      openObject({
        addresses: ENDPOINT_ADDRESSES,
        notReadyAddresses: ENDPOINT_ADDRESSES,
        ports: list(openObject(ENDPOINT_PORT)),
      }),
    ),
  },
  ['apiVersion', 'metadata'],
);
