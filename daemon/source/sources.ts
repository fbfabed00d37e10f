/** Where the objects of an agent come from under its configuration: what is applied, and the directory of manifests. */
import { join } from 'node:path';
import type { PolicyConfig } from '../../policy/rule/options.ts';
import type { Config } from '../config/config.ts';
import { ManifestDirectory } from './directory.ts';
import { keepingOf } from './keeping.ts';
import { KubernetesFile } from './kubernetes-file.ts';
import { type CheckService, manifestReader, objectReader, type ReadAnObject } from './reader.ts';
import { ObjectStore } from './store.ts';

interface SourceOptions {
  readonly config: Config;
  readonly policy: PolicyConfig;
  readonly stateDir: string;
}

/** What a Service cannot have here; one that is applied is also told what others have. */
interface ServiceChecks {
  readonly faultsOf: CheckService;
  readonly clashesOf: CheckService;
}

export interface Sources {
  readonly store: ObjectStore;
  /** Undefined when none is configured. */
  readonly manifests: ManifestDirectory | undefined;
  /** Of objects that come from a Kubernetes API. */
  readonly readObject: ReadAnObject;
  /** The same of objects that are not there yet: a Service is held against those that are. */
  readonly checkObject: ReadAnObject;
}

export function openSources({ config, policy, stateDir }: SourceOptions, services: ServiceChecks): Sources {
  const read = manifestReader(policy, config, (service) => services.faultsOf(service));
  const readApplied = manifestReader(policy, config, (service) => services.clashesOf(service));
  const readObject = objectReader(policy, config, (service) => services.faultsOf(service));
  const checkObject = objectReader(policy, config, (service) => services.clashesOf(service));
  const keeping = keepingOf(policy, config);
  const source = apiOf(config);
  const kubernetes = new KubernetesFile(join(stateDir, 'kubernetes.objects'), {
    ...{ read: readObject, keeping, source, nodeName: config.nodeName },
  });
  if (source === '') kubernetes.remove();
  const store = new ObjectStore(join(stateDir, 'objects'), readApplied, {
    keeping,
    outlivesBoot: config.stateDir !== '',
    ...(source !== '' && { kubernetes }),
  });
  const { manifests: folder } = config;
  const manifests = folder === '' ? undefined : new ManifestDirectory(folder, read, join(stateDir, 'manifests'));
  return { store, manifests, readObject, checkObject };
}

/** Which API of Kubernetes is a source; '' for none. */
function apiOf(config: Config): string {
  const { kubernetes, 'kubernetes-context': context } = config;
  if (kubernetes !== '') return context === '' ? kubernetes : `${kubernetes} ${context}`;
  return config['kube-api'] ? 'own' : '';
}
