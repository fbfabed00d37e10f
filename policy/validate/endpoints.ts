/** What the Kubernetes API refuses in an EndpointSlice or Endpoints object although its shape is right. */
import { isIP } from 'node:net';
import { checkMachineAddress } from '../document/address.ts';
import { joinPath } from '../document/document-path.ts';
import type { Reader } from '../document/reader.ts';
import {
  type EndpointPortDocument,
  type EndpointsObject,
  SERVICE_ANNOTATIONS,
  SERVICE_NAME,
  type SliceEndpointDocument,
  type SliceObject,
  type Written,
} from '../document/service-document.ts';
import { quote } from '../rule/problems.ts';
import { isDnsLabel } from './names.ts';

const MAX_ENDPOINTS = 1_000;
const MAX_ADDRESSES = 100;
const MAX_PORTS = 100;
const MAX_WEIGHT = 65_535;

export function validateEndpoints(document: Written, reader: Reader): void {
  if (document.kind === 'Endpoints') validateOld(document.object, reader);
  else validateSlice(document, reader);
  const { [SERVICE_ANNOTATIONS.weight]: weight }: Record<string, string | undefined> = document.annotations;
  if (weight === undefined || (/^\d{1,5}$/.test(weight) && Number(weight) <= MAX_WEIGHT)) return;
  const path = joinPath('metadata.annotations', SERVICE_ANNOTATIONS.weight);
  reader.problem(path, 'out-of-range', `read weight: found ${quote(weight)}, wanted 0 to ${MAX_WEIGHT}`);
}

function validateSlice({ labels, object }: Written, reader: Reader): void {
  const { addressType, endpoints = [], ports = [] } = object as SliceObject;
  if (addressType === undefined && !reader.isReported('addressType')) {
    reader.problem(
      'addressType',
      'missing-field',
      'read endpoint slice: found no addressType, wanted IPv4, IPv6 or FQDN',
    );
  }
  if (labels[SERVICE_NAME] === undefined) {
    const message = `read endpoint slice: found no label ${SERVICE_NAME}, wanted the name of its service`;
    reader.warn('metadata.labels', 'no-service', message, 'without it these are endpoints of no service');
  }
  if (endpoints.length > MAX_ENDPOINTS) tooMany('endpoints', endpoints.length, MAX_ENDPOINTS, reader);
  endpoints.forEach((endpoint, i) => checkEndpoint(endpoint, `endpoints[${i}]`, { addressType, reader }));
  checkPorts(ports, 'ports', reader);
}

function checkEndpoint(
  { addresses = [], hostname }: SliceEndpointDocument,
  path: string,
  { addressType, reader }: { addressType: SliceObject['addressType']; reader: Reader },
): void {
  if (addresses.length === 0 && !reader.isReported(`${path}.addresses`)) {
    reader.problem(`${path}.addresses`, 'missing-field', 'read endpoint: found no addresses, wanted one at least');
  }
  checkHostname(hostname, `${path}.hostname`, reader);
  if (addresses.length > MAX_ADDRESSES) tooMany(`${path}.addresses`, addresses.length, MAX_ADDRESSES, reader);
  addresses.forEach((text, i) => {
    if (addressType === 'FQDN') return;
    const place = `${path}.addresses[${i}]`;
    const isSound = checkMachineAddress(text, place, reader);
    if (!isSound || addressType === undefined || `IPv${isIP(text)}` === addressType) return;
    reader.problem(
      place,
      'address',
      `read address: found ${quote(text)}, wanted one of ${addressType}, as addressType says`,
    );
  });
}

function validateOld({ subsets = [] }: EndpointsObject, reader: Reader): void {
  subsets.forEach(({ addresses = [], notReadyAddresses = [], ports = [] }, i) => {
    const path = `subsets[${i}]`;
    for (const [field, list] of Object.entries({ addresses, notReadyAddresses })) {
      list.forEach(({ ip = '', hostname }, j) => {
        checkMachineAddress(ip, `${path}.${field}[${j}].ip`, reader);
        checkHostname(hostname, `${path}.${field}[${j}].hostname`, reader);
      });
    }
    checkPorts(ports, `${path}.ports`, reader);
  });
}

/** It becomes a label of a name. */
function checkHostname(text: string | undefined, path: string, reader: Reader): void {
  if (text === undefined || text === '' || isDnsLabel(text)) return;
  const wanted = "wanted lower-case letters, digits and '-', at most 63";
  reader.problem(path, 'name', `read host name: found ${quote(text)}, ${wanted}`);
}

function checkPorts(ports: readonly EndpointPortDocument[], path: string, reader: Reader): void {
  if (ports.length > MAX_PORTS) tooMany(path, ports.length, MAX_PORTS, reader);
  const names = new Set<string>();
  ports.forEach(({ name = '' }, i) => {
    const place = `${path}[${i}].name`;
    if (name !== '' && !isDnsLabel(name)) {
      const wanted = "lower-case letters, digits and '-', at most 63";
      reader.problem(place, 'port-name', `read port: found ${quote(name)}, wanted ${wanted}`);
    }
    if (names.has(name))
      reader.problem(place, 'twice', `read port: found the name ${quote(name)} again, wanted each once`);
    names.add(name);
  });
}

function tooMany(path: string, found: number, most: number, reader: Reader): void {
  reader.problem(path, 'too-many', `read ${path}: found ${found}, wanted at most ${most}`);
}
