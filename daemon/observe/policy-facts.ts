/** What flows tell of a policy besides its name: labels as Cilium gives them to the rules of a document. */
import type { Document } from '../../policy/document/document.ts';
import type { PolicyFacts } from '../../hubble/decode/directory-delta.ts';

const PREFIX = 'k8s:io.cilium.k8s.policy';

interface Labelled {
  readonly key?: unknown;
  readonly value?: unknown;
  readonly source?: unknown;
}

interface PolicyObject {
  readonly metadata?: { readonly uid?: unknown };
  readonly spec?: { readonly labels?: unknown } | null;
  readonly specs?: unknown;
}

/** @param revision of the publication that it came with */
export function factsOf({ kind, namespace, name, object }: Document, revision: number): PolicyFacts {
  const { metadata = {}, spec, specs } = object as PolicyObject;
  const own = [spec, ...(Array.isArray(specs) ? (specs as PolicyObject['spec'][]) : [])].flatMap(labelsIn);
  const labels = [
    `${PREFIX}.derived-from=${kind}`,
    `${PREFIX}.name=${name}`,
    ...(namespace === '' ? [] : [`${PREFIX}.namespace=${namespace}`]),
    ...(typeof metadata.uid === 'string' ? [`${PREFIX}.uid=${metadata.uid}`] : []),
    ...own,
  ];
  return { labels: [...new Set(labels)], revision };
}

/** `labels` of a rule of Cilium's. */
function labelsIn(spec: PolicyObject['spec']): string[] {
  const labels = spec?.labels;
  if (!Array.isArray(labels)) return [];
  return (labels as (Labelled | null)[]).flatMap((one) => {
    if (typeof one?.key !== 'string') return [];
    const { key, value = '', source = 'unspec' } = one;
    return [`${String(source)}:${key}${value === '' ? '' : `=${String(value)}`}`];
  });
}
