/** Faults in what a policy means: places where Cilium's own engine, or Kubernetes, gave another answer. */
import type { Mutant } from './mutant.ts';

const WORLD = ['explain/world.test.ts'];

export const SEMANTICS: readonly Mutant[] = [
  {
    name: 'port-names-of-other-pods',
    fault: 'a rule about a port name outwards allows the port to pods of the same labels that do not name it',
    file: 'policy/document/pod.ts',
    was: 'texts.push(...namedPortLabels(pod.namedPorts ?? []));',
    is: '',
    killedBy: WORLD,
  },
  {
    name: 'subjects-in-another-namespace',
    fault: 'a policy whose subject names another namespace in an expression closes pods of its own',
    file: 'policy/document/cilium-policy.ts',
    was: "return [...selector, equals({ source: 'k8s', key: POD_NAMESPACE }, namespace)];",
    is: "return [...selector.filter(({ key }) => key !== POD_NAMESPACE), equals({ source: 'k8s', key: POD_NAMESPACE }, namespace)];",
    killedBy: WORLD,
  },
  {
    name: 'stars-of-server-names-cross-labels',
    fault: '`**a` matches a server name of two labels',
    file: 'wire/fqdn.ts',
    was: "replace(/\\*+/g, '[-a-z0-9_]*')",
    is: "replace(/\\*+/g, '[-a-z0-9_.]*')",
    killedBy: WORLD,
  },
  {
    name: 'whole-families-have-nodes',
    fault: '0.0.0.0/0 reaches nodes where prefixes may match nodes',
    file: 'policy/document/cilium-policy.ts',
    was: 'prefix.length === 0 ? { nodes: false, pods: false } : cidrReach(options)',
    is: 'cidrReach(options)',
    killedBy: WORLD,
  },
  {
    name: 'own-node-without-labels',
    fault: 'the local host lacks the labels of its node',
    file: 'policy/identity/address-book.ts',
    was: "if (this.#options['enable-node-selector-labels']) {",
    is: "if (this.#options['enable-node-selector-labels'] && !node.isLocal) {",
    killedBy: WORLD,
  },
  {
    name: 'nodes-of-pods-are-the-world',
    fault: 'a node that only pods tell of, by their hostIP, is the world to the offline commands',
    file: 'explain/world.ts',
    was: 'this.#addNodesOfPods();',
    is: '',
    killedBy: WORLD,
  },
  {
    name: 'one-node-under-two-names',
    fault: "a pod on its node's network is host by name and remote node by address",
    file: 'explain/verdict.ts',
    was: 'const isLocal = other === undefined || other.nodeName === node;',
    is: 'const isLocal = other === undefined || other.nodeName === undefined || other.nodeName === node;',
    killedBy: WORLD,
  },
  {
    name: 'kubernetes-without-some-labels',
    fault: 'to the semantics of Kubernetes a label that identities lack selects nobody',
    file: 'policy/rule/label-filter.ts',
    was: "return semantics === 'kubernetes' && labels.length === 0 ? new LabelFilter([], []) : new LabelFilter(labels);",
    is: "return semantics === 'none' ? new LabelFilter([], []) : new LabelFilter(labels);",
    killedBy: WORLD,
  },
  {
    name: 'exclusions-select-the-world',
    fault: 'to the semantics of Kubernetes a namespace selector of exclusions selects nodes and the outside',
    file: 'policy/document/network-policy.ts',
    was: "return options.semantics === 'kubernetes' ? [exists('k8s', POD_NAMESPACE), ...labels] : labels;",
    is: "return options.semantics === 'none' ? [exists('k8s', POD_NAMESPACE), ...labels] : labels;",
    killedBy: WORLD,
  },
  {
    name: 'advice-is-not-tried-to-the-end',
    fault: 'policy explain gives advice that does not let the flow pass',
    file: 'explain/remedy.ts',
    was: 'current = next.judge;',
    is: 'return { changes, reason: undefined };',
    killedBy: ['explain/remedy.test.ts'],
  },
];
