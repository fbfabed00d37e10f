/** Standing names for peers that need no labels of their own; `entityPeer` says what each stands for. */
export const ENTITIES = [
  'all',
  'world',
  'host',
  'remote-node',
  'kube-apiserver',
  'health',
  'init',
  'ingress',
  'unmanaged',
  'cluster',
  'cluster-mesh',
  'none',
] as const;

export type Entity = (typeof ENTITIES)[number];
