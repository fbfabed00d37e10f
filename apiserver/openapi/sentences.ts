/**
 * What `kubectl explain` says: a sentence for each kind, and for the fields that people ask about. Of the table's structures, by the
 * structure's name and the field; of Cilium's policies, by the field alone, since each word means one thing in them.
 */
const KINDS: Readonly<Record<string, string>> = {
  Namespace: 'A room for objects: their names are unique in it, and policies select by its labels.',
  Pod: 'Containers that share an address and volumes. On this machine each pod is a network namespace of its own.',
  Service: 'A name and an address for the pods that a selector finds, which the agent balances connections over.',
  Endpoints: 'The addresses behind a Service, as older clients have them; EndpointSlices say the same.',
  EndpointSlice: 'Some of the addresses behind a Service, with their ports and whether they are ready.',
  Node: 'A machine of the cluster, here the one that the agent runs on.',
  ConfigMap: 'Texts that pods read as files or variables.',
  Secret: 'Values that pods read as files or variables, and policies for TLS, kept in base64.',
  ServiceAccount: 'A name under which pods run; policies select by it.',
  Event: 'Something that happened to an object, kept for an hour.',
  Deployment: 'Keeps a number of equal pods running and replaces them step by step when their template changes.',
  ReplicaSet: 'Keeps a number of equal pods running. Deployments make these.',
  StatefulSet: 'Keeps pods running that have numbers and keep their names.',
  DaemonSet: 'Keeps one pod running on each node.',
  Job: 'Runs pods until enough of them have succeeded.',
  CronJob: 'Makes Jobs at the times of a schedule.',
  ReplicationController: 'Keeps a number of equal pods running, the older way; a ReplicaSet does the same.',
  Lease: 'Who leads, and until when.',
  NetworkPolicy:
    'Who may talk to the pods that it selects, and whom they may talk to. What no policy of a direction allows is dropped once one selects a pod.',
  CustomResourceDefinition: 'A kind of your own: its names, versions and schema.',
  CiliumNetworkPolicy:
    'Rules for the pods that it selects in its namespace: by labels, addresses, entities, names and ports, with HTTP, DNS and TLS inside of connections; allowing and denying.',
  CiliumClusterwideNetworkPolicy:
    'The rules of a CiliumNetworkPolicy for pods of all namespaces, or with nodeSelector for nodes.',
  CiliumCIDRGroup: 'A named list of CIDRs, which policies refer to.',
  CiliumEgressGatewayPolicy: 'Which pods leave the cluster by which node and address.',
  CiliumEndpoint: 'A pod as the agent has it: its identity, addresses and which directions are enforced. Read only.',
  CiliumIdentity: 'A security identity: the labels that policies see of all pods that share them. Read only.',
  CiliumNode: 'A node as the agent has it. Read only.',
};

/** Said of these fields wherever they are the fields of a kind. */
const OF_KINDS: Readonly<Record<string, string>> = {
  apiVersion: 'The group and version of the kind.',
  kind: 'What the object is.',
  metadata: 'Name, labels and what else every object has.',
  spec: 'What is wanted.',
  status: 'What is, written by whoever acts on the object.',
};

/** Structure, or structure and field; for tests, which hold them against the table. */
export const FIELDS: Readonly<Record<string, string>> = {
  '~meta.v1.ObjectMeta': 'What every object has.',
  '~meta.v1.ObjectMeta.name': 'Unique among objects of the kind in the namespace; it does not change.',
  '~meta.v1.ObjectMeta.generateName': 'With what a name begins that the server completes, where no name is given.',
  '~meta.v1.ObjectMeta.namespace': 'In which namespace the object is; `default` where none is given.',
  '~meta.v1.ObjectMeta.labels': 'Words that selectors find the object by.',
  '~meta.v1.ObjectMeta.annotations': 'Words for programs and people; nothing selects by them.',
  '~meta.v1.ObjectMeta.uid': 'Unique in time too: a new object of the same name has another.',
  '~meta.v1.ObjectMeta.resourceVersion':
    'Changes with each write; who sends it back is refused when the object has changed meanwhile.',
  '~meta.v1.ObjectMeta.generation': 'Counts the changes of what is wanted.',
  '~meta.v1.ObjectMeta.creationTimestamp': 'When the object was made.',
  '~meta.v1.ObjectMeta.deletionTimestamp': 'Set when the object is to go; it goes when its finalizers are gone.',
  '~meta.v1.ObjectMeta.finalizers': 'Who has something to do before the object goes.',
  '~meta.v1.ObjectMeta.ownerReferences': 'Of what the object is a part: it goes when all of these are gone.',
  '~meta.v1.ObjectMeta.managedFields': 'Who wrote which fields, for server-side apply.',
  '~meta.v1.LabelSelector': 'Finds objects by their labels; all that it says must hold. An empty one finds all.',
  '~meta.v1.LabelSelector.matchLabels': 'Labels that must have these values.',
  '~meta.v1.LabelSelector.matchExpressions': 'Further demands on labels.',
  '~meta.v1.LabelSelectorRequirement': 'A demand on one label.',
  '~meta.v1.LabelSelectorRequirement.key': 'The label.',
  '~meta.v1.LabelSelectorRequirement.operator': 'In, NotIn, Exists or DoesNotExist.',
  '~meta.v1.LabelSelectorRequirement.values': 'Values for In and NotIn; none for the others.',
  'networking.v1.NetworkPolicySpec': 'Which pods, and what they may receive and send.',
  'networking.v1.NetworkPolicySpec.podSelector':
    'The pods of this namespace that the policy is about; an empty selector means all of them.',
  'networking.v1.NetworkPolicySpec.policyTypes':
    'The directions that the policy is about. Without it: Ingress always, Egress when there are rules of it.',
  'networking.v1.NetworkPolicySpec.ingress':
    'What may come in; a packet needs one rule that allows it. An empty list allows nothing.',
  'networking.v1.NetworkPolicySpec.egress':
    'What may go out; a packet needs one rule that allows it. An empty list allows nothing.',
  'networking.v1.NetworkPolicyIngressRule': 'Allows what comes from one of its peers to one of its ports.',
  'networking.v1.NetworkPolicyIngressRule.from': 'From whom; without any, from everybody.',
  'networking.v1.NetworkPolicyIngressRule.ports': 'To which ports of the selected pods; without any, to all.',
  'networking.v1.NetworkPolicyEgressRule': 'Allows what goes to one of its peers on one of its ports.',
  'networking.v1.NetworkPolicyEgressRule.to': 'To whom; without any, to everybody.',
  'networking.v1.NetworkPolicyEgressRule.ports': 'To which ports of the peers; without any, to all.',
  'networking.v1.NetworkPolicyPeer': 'Pods, namespaces or addresses.',
  'networking.v1.NetworkPolicyPeer.podSelector':
    'Pods with these labels: of this namespace, or of those that namespaceSelector finds.',
  'networking.v1.NetworkPolicyPeer.namespaceSelector':
    'Namespaces with these labels: all of their pods, or those that podSelector finds.',
  'networking.v1.NetworkPolicyPeer.ipBlock': 'Addresses outside of the cluster; no selectors beside it.',
  'networking.v1.NetworkPolicyPort': 'A port, or all of a protocol.',
  'networking.v1.NetworkPolicyPort.port': 'A number, or the name of a container port; without it, all ports.',
  'networking.v1.NetworkPolicyPort.endPort': 'With a number as port, the last port of a range.',
  'networking.v1.NetworkPolicyPort.protocol': 'TCP, UDP or SCTP; TCP unless told.',
  'networking.v1.IPBlock': 'The addresses of a CIDR, less some.',
  'networking.v1.IPBlock.cidr': 'For example 192.168.1.0/24 or 2001:db8::/64.',
  'networking.v1.IPBlock.except': 'CIDRs inside that are left out; they are not denied by it.',
  'core.v1.ServiceSpec': 'Which pods, under which address and ports.',
  'core.v1.ServiceSpec.selector':
    'Labels of the pods behind the Service. Without it, EndpointSlices say what is behind it.',
  'core.v1.ServiceSpec.ports': 'The ports of the Service.',
  'core.v1.ServiceSpec.type':
    'ClusterIP: an address inside. NodePort: also a port of the node. LoadBalancer: also an address outside. ExternalName: another name.',
  'core.v1.ServiceSpec.clusterIP':
    'The address inside, given by the server; `None` makes the Service a name for its pods alone. It does not change.',
  'core.v1.ServiceSpec.clusterIPs': 'The addresses of both families.',
  'core.v1.ServiceSpec.ipFamilies': 'Families of the addresses, the first of clusterIP.',
  'core.v1.ServiceSpec.ipFamilyPolicy': 'Whether one family is wanted, both where there are both, or both.',
  'core.v1.ServiceSpec.externalIPs': 'Addresses that the node takes connections for besides.',
  'core.v1.ServiceSpec.externalName': 'The name that an ExternalName Service stands for.',
  'core.v1.ServiceSpec.externalTrafficPolicy':
    'Cluster balances what comes from outside over all pods, Local over those of this node and keeps the source address.',
  'core.v1.ServiceSpec.internalTrafficPolicy': 'The same for what comes from pods.',
  'core.v1.ServiceSpec.sessionAffinity': 'ClientIP keeps a client at the pod that it came to first.',
  'core.v1.ServiceSpec.loadBalancerSourceRanges': 'CIDRs that may use the address outside.',
  'core.v1.ServiceSpec.publishNotReadyAddresses': 'Whether pods that are not ready are behind the Service too.',
  'core.v1.ServicePort': 'A port of a Service and where it leads.',
  'core.v1.ServicePort.name': 'Needed where there are several.',
  'core.v1.ServicePort.port': 'The port of the Service.',
  'core.v1.ServicePort.targetPort':
    'The port of the pods, a number or the name of a container port; the same number unless told.',
  'core.v1.ServicePort.nodePort': 'The port of the node, given by the server unless told.',
  'core.v1.ServicePort.protocol': 'TCP, UDP or SCTP; TCP unless told.',
  'core.v1.PodSpec': 'Containers and what they share.',
  'core.v1.PodSpec.containers': 'What runs, all at the same time.',
  'core.v1.PodSpec.initContainers': 'What runs before, one after the other, each to its end.',
  'core.v1.PodSpec.volumes': 'What containers may mount.',
  'core.v1.PodSpec.restartPolicy': 'Whether containers that end are started again: Always, OnFailure or Never.',
  'core.v1.PodSpec.nodeName': 'The node that the pod runs on; a scheduler sets it.',
  'core.v1.PodSpec.nodeSelector': 'Labels that the node must have.',
  'core.v1.PodSpec.hostNetwork': 'Whether the pod has the network of the node instead of its own.',
  'core.v1.PodSpec.hostname': 'What the pod calls itself; its own name unless told.',
  'core.v1.PodSpec.subdomain': 'With a headless Service of this name, the pod has a name in DNS.',
  'core.v1.PodSpec.dnsPolicy': 'Which name servers the pod has: of the cluster, of the node, or those of dnsConfig.',
  'core.v1.PodSpec.dnsConfig': 'Name servers, search domains and options besides.',
  'core.v1.PodSpec.serviceAccountName': 'Under which service account the pod runs; `default` unless told.',
  'core.v1.PodSpec.terminationGracePeriodSeconds': 'How long containers have to end by themselves.',
  'core.v1.PodSpec.tolerations': 'Taints of nodes that the pod can live with.',
  'core.v1.Container': 'A program that runs.',
  'core.v1.Container.name': 'Unique in the pod.',
  'core.v1.Container.image': 'What runs. Where this machine cannot run images, a stand-in of its table does.',
  'core.v1.Container.command': 'The program, instead of that of the image.',
  'core.v1.Container.args': 'Its arguments, instead of those of the image.',
  'core.v1.Container.env': 'Variables of its environment.',
  'core.v1.Container.envFrom': 'ConfigMaps and Secrets whose values all become variables.',
  'core.v1.Container.ports': 'Ports that it listens on; their names may stand in policies and Services.',
  'core.v1.Container.readinessProbe': 'Whether it may be sent connections: asked again and again.',
  'core.v1.Container.livenessProbe': 'Whether it lives; when not, it is started again.',
  'core.v1.Container.startupProbe': 'Whether it has started; until then the other probes wait.',
  'core.v1.Container.volumeMounts': 'Where volumes of the pod are in its files.',
  'core.v1.Container.resources': 'How much it may use and asks for.',
  'core.v1.Container.securityContext': 'Under which user and with which rights it runs.',
  'core.v1.ContainerPort.containerPort': 'The number of the port.',
  'core.v1.ContainerPort.name': 'A name that policies and Services may use for it.',
  'core.v1.ContainerPort.protocol': 'TCP, UDP or SCTP; TCP unless told.',
  'apps.v1.DeploymentSpec.replicas': 'How many pods; 1 unless told.',
  'apps.v1.DeploymentSpec.selector': 'Finds its pods; it must fit the labels of the template and does not change.',
  'apps.v1.DeploymentSpec.template': 'What its pods are.',
  'apps.v1.DeploymentSpec.strategy': 'How old pods are replaced by new ones.',
};

/** Of Cilium's policies, by the field; for tests too. */
export const POLICIES: Readonly<Record<string, string>> = {
  endpointSelector: 'The pods that the rules are about; an empty selector means all.',
  nodeSelector: 'The nodes that the rules are about, instead of pods.',
  specs: 'Several rules at once.',
  ingress: 'What may come in. With any rule here, all else that comes in is dropped; `- {}` allows nothing by itself.',
  ingressDeny: 'What may not come in, whatever is allowed.',
  egress: 'What may go out. With any rule here, all else that goes out is dropped.',
  egressDeny: 'What may not go out, whatever is allowed.',
  enableDefaultDeny: 'Whether having rules of a direction drops the rest of it.',
  fromEndpoints: 'From pods with these labels, of the same namespace unless a label names another.',
  toEndpoints: 'To pods with these labels, of the same namespace unless a label names another.',
  fromEntities: 'From standing parties: world, cluster, host, remote-node, kube-apiserver, all ...',
  toEntities: 'To standing parties: world, cluster, host, remote-node, kube-apiserver, all ...',
  fromCIDR: 'From addresses outside of the cluster.',
  toCIDR: 'To addresses outside of the cluster.',
  fromCIDRSet: 'From addresses outside of the cluster, less some, or of a CiliumCIDRGroup.',
  toCIDRSet: 'To addresses outside of the cluster, less some, or of a CiliumCIDRGroup.',
  fromNodes: 'From nodes with these labels.',
  toNodes: 'To nodes with these labels.',
  toFQDNs: 'To the addresses that these names have, as pods learn them by DNS through the agent.',
  toServices: 'To the pods or addresses behind Services.',
  toPorts: 'To these ports, with rules for what is inside of the connection.',
  icmps: 'Types of ICMP messages.',
  ports: 'Ports and protocols.',
  rules: 'What may be inside: HTTP requests, DNS queries, Kafka requests.',
  http: 'HTTP requests that are allowed; others are answered with 403.',
  dns: 'Names that may be asked for; other queries are refused.',
  matchName: 'A name as it is.',
  matchPattern: 'A name with stars, each for any characters but dots.',
  method: 'A regular expression for the whole method.',
  path: 'A regular expression for the whole path, with its query.',
  host: 'A regular expression for the whole host.',
  headers: 'Headers that the request must have.',
  serverNames: 'Names that a TLS client may ask for (SNI).',
  terminatingTLS: 'The certificate with which the agent answers the client.',
  originatingTLS: 'What the agent trusts at the server.',
  authentication: 'Whether the peer must prove who it is.',
  externalCIDRs: 'The CIDRs of the group.',
  destinationCIDRs: 'Where the traffic goes that leaves by the gateway.',
  egressGateway: 'By which node and address it leaves.',
};

/** Of a kind. */
export function kindSentence(kind: string): string | undefined {
  return Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;
}

/** Of a structure of the table, or of a field of it. */
export function sentenceOf(structure: string, field?: string): string | undefined {
  if (field === undefined) return FIELDS[structure];
  const said = FIELDS[`${structure}.${field}`];
  const kind = structure.slice(structure.lastIndexOf('.') + 1);
  return said ?? (Object.hasOwn(KINDS, kind) && Object.hasOwn(OF_KINDS, field) ? OF_KINDS[field] : undefined);
}

/** Of a field of Cilium's policies. */
export function policySentence(field: string): string | undefined {
  return Object.hasOwn(POLICIES, field) ? POLICIES[field] : OF_KINDS[field];
}
