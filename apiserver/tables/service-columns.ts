/** The columns of Services and of what stands behind them. */
import type { KubeObject } from '../storage/kube-object.ts';
import { AGE, type Column, fieldsOf, NAME, text, wide } from './column.ts';
import { labelText } from './label-text.ts';
import { endpointsText, externalText, sliceEndpoints, slicePorts, servicePorts } from './service-text.ts';

interface ServiceSpec {
  readonly type: string;
  readonly clusterIP: string;
  readonly clusterIPs: readonly string[];
  readonly selector: object;
}

const specOf = (object: KubeObject) => fieldsOf<ServiceSpec>(object, 'spec');

/** The one that the agent gave, or none: a headless service says `None` itself. */
function clusterIp(object: KubeObject): string {
  const { clusterIP, clusterIPs = [] } = specOf(object);
  return clusterIPs[0] || clusterIP || '<none>';
}

export const SERVICE_COLUMNS: readonly Column[] = [
  NAME,
  text('Type', (object) => specOf(object).type ?? 'ClusterIP', 'Where the service can be reached from.'),
  text('Cluster-IP', clusterIp, 'Its address for pods.'),
  text('External-IP', externalText, 'Its addresses for others.'),
  text('Port(s)', servicePorts, 'Its ports, with those of the nodes.'),
  AGE,
  ...wide(text('Selector', (object) => labelText(specOf(object).selector), 'Labels of its pods.')),
];

export const ENDPOINTS_COLUMNS: readonly Column[] = [
  NAME,
  text('Endpoints', endpointsText, 'Who takes connections.'),
  AGE,
];

export const ENDPOINT_SLICE_COLUMNS: readonly Column[] = [
  NAME,
  text('AddressType', (object) => (object['addressType'] as string | undefined) ?? '', 'What addresses it has.'),
  text('Ports', slicePorts, 'Their ports.'),
  text('Endpoints', sliceEndpoints, 'Its addresses.'),
  AGE,
];
