/** Names that the agent knows, for the completion of the query line. */
import type { EndpointDocument, IdentityDocument, ServiceDocument } from '../../api/shapes.ts';
import type { KnownValues } from './completion.ts';

const MAX_VALUES = 5000;

/** Labels that are a selector as they stand; those of names and prefixes have flags of their own. */
const SELECTED = /^(?!reserved:|cidr|fqdn)[\w./:-]+(?:=[\w.-]*)?$/;

interface Told {
  readonly endpoints?: readonly EndpointDocument[];
  readonly services?: readonly ServiceDocument[];
  readonly identities?: readonly IdentityDocument[];
}

/** @param told what it answered, as far as it did */
export function knownValues({ endpoints = [], services = [], identities = [] }: Told): KnownValues {
  const labels = [...endpoints, ...identities].flatMap((one) => one.labels);
  return {
    namespace: sorted([...endpoints, ...services].map(({ namespace }) => namespace)),
    pod: sorted(endpoints.map(({ namespace, pod }) => `${namespace}/${pod}`)),
    service: sorted(services.map(({ namespace, name }) => `${namespace}/${name}`)),
    label: sorted(labels.filter((label) => SELECTED.test(label))),
    identity: sorted(identities.map(({ id }) => String(id))),
    ip: sorted(endpoints.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6].filter((ip) => ip !== undefined))),
  };
}

function sorted(values: readonly string[]): readonly string[] {
  return [...new Set(values)]
    .filter((value) => value !== '' && value !== '/')
    .sort((a, b) => (a < b ? -1 : 1))
    .slice(0, MAX_VALUES);
}
