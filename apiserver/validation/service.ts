/** What a Service may be: its ports, its address. What of it cannot be served here, the agent says. */
import { isDnsLabel, isDnsSubdomain } from '../../policy/validate/names.ts';
import { type Plain, type PlainObject, textOf } from '../patch/plain.ts';
import type { Causes } from './causes.ts';
import { LABEL, listOf, objectOf, validateLabels } from './metadata.ts';
import { isPortName } from './pod.ts';

const DAY_SEC = 86_400;

/** @param before undefined of one that is created */
export function validateService(object: PlainObject, before: PlainObject | undefined, causes: Causes): void {
  const spec = objectOf(object['spec']);
  const ports = listOf(spec['ports']);
  validateLabels('spec.selector', spec['selector'], causes);
  if (spec['type'] === 'ExternalName') {
    const name = textOf(spec['externalName']);
    if (!isDnsSubdomain(name.replace(/\.$/, '').toLowerCase()))
      causes.invalid('spec.externalName', name, 'a lowercase RFC 1123 subdomain');
  } else if (ports.length === 0 && spec['clusterIP'] !== 'None') causes.required('spec.ports');
  validatePorts(ports, causes);
  const old = objectOf(before?.['spec']);
  const [was, is] = [textOf(old['clusterIP']), textOf(spec['clusterIP'])];
  // An address may come and go with the type; it may not become another one.
  if (was !== '' && is !== '' && was !== is && old['type'] !== 'ExternalName')
    causes.invalid('spec.clusterIPs[0]', listOf(spec['clusterIPs']), 'may not change once set');
  const { timeoutSeconds } = objectOf(objectOf(spec['sessionAffinityConfig'])['clientIP']);
  causes.between('spec.sessionAffinityConfig.clientIP.timeoutSeconds', timeoutSeconds, 1, DAY_SEC);
}

function validatePorts(ports: readonly Plain[], causes: Causes): void {
  const [names, numbers] = [new Set<string>(), new Set<string>()];
  for (const [index, item] of ports.entries()) {
    const at = `spec.ports[${index}]`;
    const { port = 0, protocol, targetPort, nodePort } = objectOf(item);
    const name = textOf(objectOf(item)['name']);
    if (name === '' && ports.length > 1) causes.required(`${at}.name`);
    if (name !== '' && !isDnsLabel(name)) causes.invalid(`${at}.name`, name, LABEL);
    if (name !== '' && names.has(name)) causes.duplicate(`${at}.name`, name);
    causes.port(`${at}.port`, port);
    causes.port(`${at}.targetPort`, targetPort);
    if (typeof targetPort === 'string' && !isPortName(targetPort))
      causes.invalid(`${at}.targetPort`, targetPort, 'no name of a port');
    causes.port(`${at}.nodePort`, nodePort, 0);
    const number = `${textOf(protocol)}/${textOf(port)}`;
    if (numbers.has(number)) causes.duplicate(at, { port, protocol: protocol ?? 'TCP' });
    names.add(name);
    numbers.add(number);
  }
}
