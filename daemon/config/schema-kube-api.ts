/** Options of the Kubernetes API that the agent serves; a part of config/schema.ts. */
import { DEFAULT_MAX_PODS } from '../../controllers/pod-room.ts';
import { isLoopback, listenAddressProblem, readListenAddress } from './listen-address.ts';
import type { ContainerRuntime } from '../../kubelet/kubelet.ts';
import type { Option } from './option.ts';

/** All present. */
export interface KubeApiSettings {
  readonly 'kube-api': boolean;
  /** Text of readListenAddress, of loopback. */
  readonly 'kube-api-address': string;
  /** 1 to 1000. */
  readonly 'kube-api-max-pods': number;
  readonly 'container-runtime': ContainerRuntime;
}

export const KUBE_API: Readonly<Record<keyof KubeApiSettings, Option>> = {
  'kube-api': {
    type: 'boolean',
    meaning: 'serve a Kubernetes API for kubectl, see [kubernetes](kubernetes.md)',
    fallback: false,
  },
  'kube-api-address': {
    type: 'string',
    meaning: 'where, on loopback; clients need the certificate of `<run directory>/kubeconfig`',
    fallback: '127.0.0.1:6443',
    check: (text) => {
      const place = readListenAddress(text);
      if (place !== undefined && !isLoopback(place.host)) return 'an address of loopback';
      return listenAddressProblem(text);
    },
  },
  'kube-api-max-pods': {
    type: 'integer',
    meaning: 'pods of the API that this node runs; controllers make none beyond, and others wait',
    fallback: DEFAULT_MAX_PODS,
    min: 1,
    max: 1000,
  },
  'container-runtime': {
    type: 'string',
    meaning:
      'where images of pods of the API come from: `none` are fetched, and programs of the machine and stand-ins run; or `podman` has and fetches them, see [kubernetes](kubernetes.md#images)',
    fallback: 'none',
    values: ['none', 'podman'],
  },
};
