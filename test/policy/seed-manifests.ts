/** One good document of every kind that is read, with as many of its fields as there are: what the mutations begin from. */
import { parse } from 'yaml';

const SEEDS = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: red}, annotations: {sluice.io/audit: "true"}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}, annotations: {sluice.io/netns: web, sluice.io/attach: tap, sluice.io/mac: "02:00:00:00:00:01"}}
spec:
  serviceAccountName: web
  nodeName: node
  hostNetwork: false
  containers: [{name: c, image: i, command: [sleep], env: [{name: a, value: b}], ports: [{name: http, containerPort: 80, protocol: TCP}]}]
status: {phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}, {ip: "fd00::1"}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: shop, labels: {app: api}}
spec:
  replicas: 2
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}, annotations: {sluice.io/netns: api}}
    spec: {containers: [{name: c, image: i, ports: [{name: http, containerPort: 8080}]}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec: {replicas: 1, template: {metadata: {labels: {app: db}}, spec: {containers: []}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: log, namespace: shop}
spec: {template: {metadata: {labels: {app: log}}, spec: {hostNetwork: true, containers: []}}}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: old, namespace: shop}
spec: {replicas: 0, template: {metadata: {labels: {app: old}}, spec: {containers: []}}}
---
apiVersion: v1
kind: ReplicationController
metadata: {name: rc, namespace: shop}
spec: {replicas: 1, selector: {app: rc}, template: {metadata: {labels: {app: rc}}, spec: {containers: []}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: once, namespace: shop}
spec: {parallelism: 2, template: {metadata: {labels: {app: once}}, spec: {restartPolicy: Never, containers: []}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: shop}
spec: {schedule: "0 0 * * *", suspend: false, jobTemplate: {spec: {template: {metadata: {labels: {app: nightly}, annotations: {sluice.io/trace: "true"}}, spec: {containers: []}}}}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {selector: {app: web}, clusterIP: 10.96.0.1, type: ClusterIP, ports: [{name: http, protocol: TCP, port: 80, targetPort: http}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: kubernetes, namespace: default, labels: {kubernetes.io/service-name: kubernetes}}
addressType: IPv4
endpoints: [{addresses: [192.0.2.1]}]
ports: [{name: https, port: 443, protocol: TCP}]
---
apiVersion: v1
kind: Endpoints
metadata: {name: outside, namespace: shop}
subsets: [{addresses: [{ip: 192.0.2.7}]}]
---
apiVersion: v1
kind: Node
metadata: {name: node, labels: {zone: a}}
status: {addresses: [{type: InternalIP, address: 172.18.0.2}, {type: Hostname, address: node}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: knp, namespace: shop, annotations: {sluice.io/audit: "false"}}
spec:
  podSelector: {matchLabels: {app: web}, matchExpressions: [{key: app, operator: In, values: [web]}]}
  policyTypes: [Ingress, Egress]
  ingress:
    - from:
        - {podSelector: {matchExpressions: [{key: app, operator: Exists}]}, namespaceSelector: {matchLabels: {team: red}}}
        - {ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}
      ports: [{port: http, protocol: TCP}, {port: 1000, endPort: 2000, protocol: UDP}]
  egress: [{to: [{namespaceSelector: {}}], ports: [{port: 53, protocol: UDP}]}]
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: cnp, namespace: shop}
spec:
  endpointSelector: {matchLabels: {app: web}, matchExpressions: [{key: k8s:tier, operator: NotIn, values: [back]}]}
  description: x
  labels: [{key: a, value: b, source: k8s}]
  log: {value: hello}
  enableDefaultDeny: {ingress: true, egress: true}
  ingress:
    - fromEndpoints: [{matchLabels: {app: api}}]
      authentication: {mode: required}
      toPorts:
        - ports: [{port: "80", protocol: TCP}]
          rules:
            http: [{method: GET, path: /api/.*, host: x, headers: ["X-A: b"], headerMatches: [{name: a, value: b, mismatch: LOG}]}]
    - fromEntities: [host]
      icmps: [{fields: [{family: IPv4, type: EchoRequest}, {family: IPv6, type: 128}]}]
    - fromCIDRSet: [{cidr: 10.0.0.0/8, except: [10.2.0.0/16]}, {cidrGroupRef: group}, {cidrGroupSelector: {matchLabels: {a: b}}}]
  ingressDeny: [{fromCIDR: [192.0.2.0/24], toPorts: [{ports: [{port: "22", endPort: 23, protocol: ANY}]}]}]
  egress:
    - toEndpoints: [{matchLabels: {"k8s:io.kubernetes.pod.namespace": kube-system}}]
      toPorts: [{ports: [{port: "53", protocol: UDP}], rules: {dns: [{matchName: a.com}, {matchPattern: "*.b.com"}]}}]
    - toFQDNs: [{matchName: a.com}, {matchPattern: "*.b.com"}]
    - toServices: [{k8sService: {serviceName: web, namespace: shop}}, {k8sServiceSelector: {selector: {matchLabels: {app: web}}}}]
    - toPorts: [{ports: [{port: "9092", protocol: TCP}], rules: {kafka: [{role: produce, topic: t, clientID: c}]}}]
    - toPorts: [{ports: [{port: "443", protocol: TCP}], serverNames: ["*.a.com"], terminatingTLS: {secret: {name: s}}}]
  egressDeny: [{toEntities: [world], toPorts: [{ports: [{port: http, protocol: TCP}]}]}]
---
apiVersion: cilium.io/v2
kind: CiliumClusterwideNetworkPolicy
metadata: {name: ccnp}
specs:
  - nodeSelector: {matchLabels: {zone: a}}
    ingress: [{fromEntities: [cluster, world]}, {fromNodes: [{matchLabels: {zone: b}}]}]
  - endpointSelector: {matchLabels: {"reserved:init": ""}}
    ingress: [{fromRequires: [{matchLabels: {a: b}}]}]
---
apiVersion: cilium.io/v2
kind: CiliumCIDRGroup
metadata: {name: group, labels: {a: b}}
spec: {externalCIDRs: [10.0.0.0/8, 192.0.2.1, "2001:db8::/32"]}
---
apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: Namespace, metadata: {name: in-a-list}}
  - {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: listed}, spec: {podSelector: {}, ingress: [{}]}}
`;

/** Plain values, fresh ones each time. */
export function seedManifests(): Record<string, unknown>[] {
  return SEEDS.split('\n---\n').map((text) => parse(text) as Record<string, unknown>);
}
