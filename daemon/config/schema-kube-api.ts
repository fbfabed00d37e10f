/** Options of the Kubernetes API that the agent serves; a part of config/schema.ts. */
import { isLoopback, listenAddressProblem, readListenAddress } from './listen-address.ts';
import type { Option } from './option.ts';

/** All present. */
export interface KubeApiSettings {
  readonly 'kube-api': boolean;
  /** Text of readListenAddress, of loopback. */
  readonly 'kube-api-address': string;
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
};
