/** Shapes of CiliumNetworkPolicy, CiliumClusterwideNetworkPolicy, CiliumCIDRGroup and CiliumEgressGatewayPolicy, field by field. */
import { ENTITIES } from '../rule/entities.ts';
import { kind, SELECTOR } from './schema-kubernetes.ts';
import {
  any,
  boolean,
  integer,
  integerOrString,
  list,
  map,
  type ObjectShape,
  object,
  oneOf,
  type Shape,
  string,
  stringOrPair,
} from './shape.ts';

/** TCP, UDP and SCTP have ports; the last seven need `enable-extended-ip-protocols`. */
const PROTOCOLS = ['TCP', 'UDP', 'SCTP', 'ANY', 'VRRP', 'IGMP', 'GRE', 'IPIP', 'IPV6', 'ESP', 'AH'] as const;

const CIDR_RULE = object({
  cidr: string,
  cidrGroupRef: string,
  cidrGroupSelector: SELECTOR,
  except: list(string),
});

const GROUP = object({
  aws: object({
    labels: map(string),
    securityGroupsIds: list(string),
    securityGroupsNames: list(string),
    region: string,
  }),
});

const SERVICE = object({
  k8sService: object({ serviceName: string, namespace: string }),
  k8sServiceSelector: object({ selector: SELECTOR, namespace: string }, ['selector']),
});

const FQDN_SELECTOR = object({ matchName: string, matchPattern: string });

const PING = 'ICMP has no ports: write icmps: [{fields: [{type: EchoRequest}]}] beside the peers, without toPorts';
const PROTOCOL: Shape = {
  kind: 'string',
  oneOf: PROTOCOLS,
  told: ['TCP', 'UDP', 'SCTP', 'ANY'],
  hints: { ICMP: PING, ICMPv4: PING, ICMPv6: PING.replace('type: ', 'family: IPv6, type: ') },
};
const PORT = object({ port: string, endPort: integer(0, 65535), protocol: PROTOCOL });

const SECRET = object({ namespace: string, name: string });

const TLS = object({ secret: SECRET, trustedCA: string, certificate: string, privateKey: string }, ['secret']);

const HTTP = object({
  method: string,
  path: string,
  host: string,
  headers: list(stringOrPair),
  headerMatches: list(
    object({ name: string, value: string, secret: SECRET, mismatch: oneOf('', 'LOG', 'ADD', 'DELETE', 'REPLACE') }),
  ),
});

const KAFKA = object({
  role: oneOf('produce', 'consume'),
  apiKey: string,
  apiVersion: string,
  clientID: string,
  topic: string,
});

const L7_RULES = object({
  http: list(HTTP),
  dns: list(FQDN_SELECTOR),
  kafka: list(KAFKA),
  l7proto: string,
  l7: any,
});

const PORT_RULE = object({
  ports: list(PORT),
  terminatingTLS: TLS,
  originatingTLS: TLS,
  serverNames: list(string),
  listener: object({ envoyConfig: object({ kind: string, name: string }), name: string, priority: integer(0, 100) }),
  rules: L7_RULES,
});

const PORT_DENY_RULE = object({ ports: list(PORT) });

const ICMP_RULE = object({ fields: list(object({ family: oneOf('IPv4', 'IPv6'), type: integerOrString }, ['type'])) });

const AUTHENTICATION = object({ mode: oneOf('disabled', 'required', 'test-always-fail') }, ['mode']);

/** Members that both directions have, `from` or `to` in front. */
function peerFields(prefix: 'from' | 'to'): Record<string, Shape> {
  return {
    [`${prefix}Endpoints`]: list(SELECTOR),
    [`${prefix}Requires`]: list(SELECTOR),
    [`${prefix}CIDR`]: list(string),
    [`${prefix}CIDRSet`]: list(CIDR_RULE),
    [`${prefix}Entities`]: list(oneOf(...ENTITIES)),
    [`${prefix}Groups`]: list(GROUP),
    [`${prefix}Nodes`]: list(SELECTOR),
    ...(prefix === 'to' && { toServices: list(SERVICE) }),
    icmps: list(ICMP_RULE),
  };
}

const RULE = object({
  endpointSelector: SELECTOR,
  nodeSelector: SELECTOR,
  ingress: list(object({ ...peerFields('from'), toPorts: list(PORT_RULE), authentication: AUTHENTICATION })),
  ingressDeny: list(object({ ...peerFields('from'), toPorts: list(PORT_DENY_RULE) })),
  egress: list(
    object({
      ...peerFields('to'),
      toFQDNs: list(FQDN_SELECTOR),
      toPorts: list(PORT_RULE),
      authentication: AUTHENTICATION,
    }),
  ),
  // Read here to be refused with a reason.
  egressDeny: list(object({ ...peerFields('to'), toFQDNs: list(FQDN_SELECTOR), toPorts: list(PORT_DENY_RULE) })),
  enableDefaultDeny: object({ ingress: boolean, egress: boolean }),
  labels: list(object({ key: string, value: string, source: string }, ['key'])),
  description: string,
  log: object({ value: string }),
});

export const CILIUM_POLICY: ObjectShape = kind({ spec: RULE, specs: list(RULE) });

export const CIDR_GROUP: ObjectShape = kind({ spec: object({ externalCIDRs: list(string) }, ['externalCIDRs']) }, [
  'spec',
]);

const EGRESS_GATEWAY = object({ nodeSelector: SELECTOR, interface: string, egressIP: string }, ['nodeSelector']);

export const EGRESS_GATEWAY_POLICY: ObjectShape = kind(
  {
    spec: object(
      {
        selectors: list(object({ podSelector: SELECTOR, namespaceSelector: SELECTOR, nodeSelector: SELECTOR })),
        destinationCIDRs: list(string),
        excludedCIDRs: list(string),
        egressGateway: EGRESS_GATEWAY,
        egressGateways: list(EGRESS_GATEWAY),
      },
      ['selectors', 'destinationCIDRs'],
    ),
  },
  ['spec'],
);
