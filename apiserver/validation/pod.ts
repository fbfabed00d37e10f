/** What the spec of a pod, and of a template of pods, may be; and what of a pod's may change. */
import { isDnsLabel } from '../../policy/validate/names.ts';
import { isEqual, isObject, type Plain, type PlainObject, textOf, without } from '../patch/plain.ts';
import type { Causes } from './causes.ts';
import { LABEL, listOf, objectOf } from './metadata.ts';

const PORT_NAME = 'at most 15 lower case letters, digits and single hyphens between them, with at least one letter';
const VARIABLE = /^[!-<>-~][ -<>-~]*$/;

export function validatePodSpec(spec: PlainObject, path: string, causes: Causes): void {
  const names = new Set<string>();
  const volumes = namesOf(spec['volumes'], `${path}.volumes`, causes);
  for (const list of ['containers', 'initContainers', 'ephemeralContainers'])
    for (const [index, container] of listOf(spec[list]).entries())
      if (isObject(container)) validateContainer(container, `${path}.${list}[${index}]`, { names, volumes, causes });
  causes.notNegative(`${path}.terminationGracePeriodSeconds`, spec['terminationGracePeriodSeconds']);
  if (spec['dnsPolicy'] === 'None' && listOf(objectOf(spec['dnsConfig'])['nameservers']).length === 0)
    causes.required(
      `${path}.dnsConfig.nameservers`,
      'must provide at least one DNS nameserver when `dnsPolicy` is None',
    );
}

interface Surroundings {
  /** Of the containers before. */
  readonly names: Set<string>;
  readonly volumes: ReadonlySet<string>;
  readonly causes: Causes;
}

function validateContainer(container: PlainObject, path: string, { names, volumes, causes }: Surroundings): void {
  const name = textOf(container['name']);
  if (name !== '') addName(name, `${path}.name`, names, causes);
  if (textOf(container['image']).trim() === '') causes.required(`${path}.image`);
  validatePorts(listOf(container['ports']), `${path}.ports`, causes);
  validateEnvironment(listOf(container['env']), `${path}.env`, causes);
  const mounted = new Set<string>();
  for (const [index, mount] of listOf(container['volumeMounts']).entries()) {
    const [volume, mountPath] = [textOf(objectOf(mount)['name']), textOf(objectOf(mount)['mountPath'])];
    const at = `${path}.volumeMounts[${index}]`;
    if (volume !== '' && !volumes.has(volume)) causes.notFound(`${at}.name`, volume);
    if (mounted.has(mountPath)) causes.invalid(`${at}.mountPath`, mountPath, 'must be unique');
    mounted.add(mountPath);
  }
  for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe'])
    if (isObject(container[probe])) validateProbe(container[probe], `${path}.${probe}`, causes);
}

function validatePorts(ports: readonly Plain[], path: string, causes: Causes): void {
  const names = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const at = `${path}[${index}]`;
    const { containerPort, hostPort } = objectOf(port);
    const name = textOf(objectOf(port)['name']);
    if (containerPort === undefined || containerPort === 0) causes.required(`${at}.containerPort`);
    else causes.port(`${at}.containerPort`, containerPort);
    causes.port(`${at}.hostPort`, hostPort);
    if (name === '') continue;
    if (!isPortName(name)) causes.invalid(`${at}.name`, name, PORT_NAME);
    if (names.has(name)) causes.duplicate(`${at}.name`, name);
    names.add(name);
  }
}

function validateEnvironment(variables: readonly Plain[], path: string, causes: Causes): void {
  for (const [index, variable] of variables.entries()) {
    const { value, valueFrom } = objectOf(variable);
    const name = textOf(objectOf(variable)['name']);
    if (name !== '' && !VARIABLE.test(name))
      causes.invalid(`${path}[${index}].name`, name, "must be printable ASCII characters without '='");
    if (valueFrom !== undefined && textOf(value) !== '')
      causes.invalid(`${path}[${index}].valueFrom`, '', 'may not be specified when `value` is not empty');
  }
}

const HANDLERS = ['exec', 'httpGet', 'tcpSocket', 'grpc'];
const COUNTS = ['timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold', 'initialDelaySeconds'];

function validateProbe(probe: PlainObject, path: string, causes: Causes): void {
  const found = HANDLERS.filter((name) => probe[name] !== undefined);
  if (found.length === 0) causes.required(path, 'must specify a handler type');
  if (found.length > 1) causes.forbidden(`${path}.${found[1]}`, 'may not specify more than 1 handler type');
  for (const name of COUNTS) causes.notNegative(`${path}.${name}`, probe[name]);
  const { successThreshold } = probe;
  if (!path.endsWith('readinessProbe') && typeof successThreshold === 'number' && successThreshold > 1)
    causes.invalid(`${path}.successThreshold`, successThreshold, 'must be 1');
}

/** At most 15 lower-case letters, digits and single hyphens inside, at least one letter. */
export function isPortName(name: string): boolean {
  return name.length <= 15 && /^[a-z0-9]+(-[a-z0-9]+)*$/.test(name) && /[a-z]/.test(name);
}

function namesOf(list: Plain | undefined, path: string, causes: Causes): ReadonlySet<string> {
  const names = new Set<string>();
  for (const [index, item] of listOf(list).entries()) {
    const name = textOf(objectOf(item)['name']);
    if (name !== '') addName(name, `${path}[${index}].name`, names, causes);
  }
  return names;
}

function addName(name: string, field: string, names: Set<string>, causes: Causes): void {
  if (!isDnsLabel(name)) causes.invalid(field, name, LABEL);
  if (names.has(name)) causes.duplicate(field, name);
  names.add(name);
}

/** Of a pod's spec may change: images, how long it may run and end, what it tolerates besides, gates that open. */
const CHANGING = ['activeDeadlineSeconds', 'tolerations', 'terminationGracePeriodSeconds', 'schedulingGates'];
const MAY =
  'pod updates may not change fields other than the images of containers, `spec.activeDeadlineSeconds`, `spec.tolerations` and `spec.terminationGracePeriodSeconds`';

export function validatePodUpdate(before: PlainObject, after: PlainObject, causes: Causes): void {
  const [old, now] = [fixed(objectOf(before['spec'])), fixed(objectOf(after['spec']))];
  const fields = [...new Set([...Object.keys(old), ...Object.keys(now)])];
  const changed = fields.filter((name) => !isEqual(old[name], now[name])).map((name) => `\`spec.${name}\``);
  if (changed.length > 0) causes.forbidden('spec', `${MAY}; found ${changed.join(', ')}`);
}

/** What of a spec does not change. */
function fixed(spec: PlainObject): PlainObject {
  const rest = CHANGING.reduce(without, spec);
  const lists = ['containers', 'initContainers'].filter((name) => rest[name] !== undefined);
  const imageless = (name: string) => listOf(rest[name]).map((one) => (isObject(one) ? without(one, 'image') : one));
  return { ...rest, ...Object.fromEntries(lists.map((name) => [name, imageless(name)])) };
}
