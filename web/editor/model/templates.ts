/** Policies to begin with, each a whole text with comments that say what it does. */

export interface Template {
  readonly name: string;
  readonly text: string;
}

export const TEMPLATES: readonly Template[] = [
  {
    name: 'Nobody may reach the pods',
    text: `# Closes ingress of every pod of the namespace: whatever else is to come in needs a policy that allows it.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: default-deny-ingress
  namespace: default
spec:
  podSelector: {}
  policyTypes: [Ingress]
`,
  },
  {
    name: 'Pods of the namespace among themselves',
    text: `# Pods of the namespace reach one another, and nobody else reaches them.
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata:
  name: within-namespace
  namespace: default
spec:
  endpointSelector: {}
  ingress:
    - fromEndpoints: [{}]
`,
  },
  {
    name: 'One port for one kind of client',
    text: `# Clients reach the web servers' port 80, and nothing else of them.
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata:
  name: web-from-clients
  namespace: default
spec:
  endpointSelector:
    matchLabels: { app: web }
  ingress:
    - fromEndpoints:
        - matchLabels: { app: client }
      toPorts:
        - ports:
            - { port: "80", protocol: TCP }
`,
  },
  {
    name: 'Some requests only',
    text: `# Clients may read what is public, and nothing else.
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata:
  name: web-reads
  namespace: default
spec:
  endpointSelector:
    matchLabels: { app: web }
  ingress:
    - fromEndpoints:
        - matchLabels: { app: client }
      toPorts:
        - ports:
            - { port: "80", protocol: TCP }
          rules:
            http:
              - { method: GET, path: "/public(/.*)?" }
`,
  },
  {
    name: 'Out to one name',
    text: `# Pods may ask DNS, and go to one name outside.
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata:
  name: out-by-name
  namespace: default
spec:
  endpointSelector:
    matchLabels: { app: client }
  egress:
    # The names of what is asked for are learnt from here.
    - toEndpoints:
        - matchLabels:
            k8s:io.kubernetes.pod.namespace: kube-system
            k8s:k8s-app: kube-dns
      toPorts:
        - ports:
            - { port: "53", protocol: ANY }
          rules:
            dns: [{ matchPattern: "*" }]
    - toFQDNs: [{ matchName: example.com }]
      toPorts:
        - ports:
            - { port: "443", protocol: TCP }
`,
  },
  {
    name: 'Deny one, close nothing',
    text: `# Pods with this label never reach the web servers, whatever allows them; nothing else is closed.
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata:
  name: deny-banned
  namespace: default
spec:
  endpointSelector:
    matchLabels: { app: web }
  enableDefaultDeny: { ingress: false }
  ingressDeny:
    - fromEndpoints:
        - matchLabels: { banned: "yes" }
`,
  },
];
