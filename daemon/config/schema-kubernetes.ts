/** Options of a Kubernetes API that objects come from; a part of config/schema.ts. */
import type { Option } from './option.ts';
import type { KubeApiSettings } from './schema-kube-api.ts';

/** All present. */
export interface KubernetesSettings {
  /** '' = none, `in-cluster`, or the path of a kubeconfig. */
  readonly kubernetes: string;
  /** '' = the current one of the kubeconfig. */
  readonly 'kubernetes-context': string;
  readonly 'kubernetes-insecure': boolean;
  readonly 'kubernetes-write': boolean;
}

/** What is wrong between the options: option and sentence. */
export function kubernetesProblems(settings: KubernetesSettings & KubeApiSettings): ['kubernetes', string][] {
  if (settings.kubernetes === '' || !settings['kube-api']) return [];
  return [['kubernetes', 'found kube-api with it, wanted one of the two: objects come from one API']];
}

export const KUBERNETES: Readonly<Record<keyof KubernetesSettings, Option>> = {
  kubernetes: {
    type: 'string',
    meaning:
      'a Kubernetes API that objects come from: in-cluster, or the path of a kubeconfig, see [kubernetes](kubernetes.md)',
    fallback: '',
    check: (text) =>
      text === '' || text === 'in-cluster' || text.startsWith('/') ? undefined : 'in-cluster, or an absolute path',
  },
  'kubernetes-context': {
    type: 'string',
    meaning: 'context of the kubeconfig; default: its current one',
    fallback: '',
  },
  'kubernetes-insecure': {
    type: 'boolean',
    meaning: 'credentials may go to a server whose certificate is not checked',
    fallback: false,
  },
  'kubernetes-write': {
    type: 'boolean',
    meaning: 'tell the API of policies that are refused: an Event, and the condition Valid of Cilium policies',
    fallback: true,
  },
};
