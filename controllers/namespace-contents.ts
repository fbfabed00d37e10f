/** What pods of every namespace count on: the ServiceAccount `default`, and the certificate of this API. */
import type { KubeObject } from '../apiserver/storage/kube-object.ts';
import { type Controller, ownKey, partsOf, type Surroundings } from './controller.ts';
import { NAMESPACES } from './namespace.ts';
import { isGoing } from './pod-state.ts';

const ACCOUNTS = 'serviceaccounts';
const CONFIG_MAPS = 'configmaps';
const ACCOUNT = 'default';
const CERTIFICATE = 'kube-root-ca.crt';

/** @param caCertificate PEM; asked for each time: it may come late */
export function namespaceContents({ storage }: Surroundings, caCertificate: () => string): Controller {
  const namespaceOf =
    (wanted: string) =>
    ({ object: { metadata } }: { readonly object: KubeObject }): string[] =>
      metadata.name === wanted ? [metadata.namespace ?? ''] : [];
  return {
    name: 'serviceaccount-controller',
    watches: {
      [NAMESPACES]: ownKey,
      [ACCOUNTS]: namespaceOf(ACCOUNT),
      [CONFIG_MAPS]: namespaceOf(CERTIFICATE),
    },
    work: (key) => {
      const [, namespace] = partsOf(key);
      const found = storage.get(NAMESPACES, '', namespace);
      if (found === undefined || isGoing(found)) return undefined;
      const data = { 'ca.crt': caCertificate() };
      if (storage.get(ACCOUNTS, namespace, ACCOUNT) === undefined)
        storage.create(ACCOUNTS, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: ACCOUNT, namespace } });
      if (storage.get(CONFIG_MAPS, namespace, CERTIFICATE) === undefined)
        storage.create(CONFIG_MAPS, {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: CERTIFICATE, namespace },
          data,
        });
      else if (!storage.isMirrored(CONFIG_MAPS, namespace, CERTIFICATE))
        storage.update(CONFIG_MAPS, namespace, CERTIFICATE, (one) => ({ ...one, data }));
      return undefined;
    },
  };
}
