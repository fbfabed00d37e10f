/** Which names objects may have. */
import { kindName, type Resource } from '../resources/resource.ts';
import { StatusError } from '../storage/status-error.ts';

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
/** RFC 1035: begins with a letter. */
const SERVICE_LABEL = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const SUBDOMAIN_LENGTH = 253;
/** Names of roles hold colons, and are a segment of a path. */
const SEGMENT = /^(?!\.{1,2}$)[^/%\0]{1,253}$/;

const FORMS: Readonly<Record<string, readonly [RegExp, wanted: string]>> = {
  namespaces: [LABEL, "at most 63 lower-case letters, digits and '-'"],
  services: [SERVICE_LABEL, "at most 63 lower-case letters, digits and '-', a letter first"],
  'roles.rbac.authorization.k8s.io': [SEGMENT, "no '/' and no '%'"],
  'rolebindings.rbac.authorization.k8s.io': [SEGMENT, "no '/' and no '%'"],
  'clusterroles.rbac.authorization.k8s.io': [SEGMENT, "no '/' and no '%'"],
  'clusterrolebindings.rbac.authorization.k8s.io': [SEGMENT, "no '/' and no '%'"],
};
const OTHERS: readonly [RegExp, string] = [
  SUBDOMAIN,
  "at most 253 lower-case letters, digits, '-' and '.', a letter or digit first and last",
];

/** @throws StatusError 422 */
export function checkName(resource: Resource, name: string): void {
  const [form, wanted] = Object.hasOwn(FORMS, resource.name) ? FORMS[resource.name] : OTHERS;
  if (form.test(name) && name.length <= SUBDOMAIN_LENGTH) return;
  const message = `Invalid value: ${JSON.stringify(name.slice(0, 300))}: wanted ${wanted}`;
  throw StatusError.invalid(kindName(resource), name, [
    { field: 'metadata.name', reason: 'FieldValueInvalid', message },
  ]);
}
