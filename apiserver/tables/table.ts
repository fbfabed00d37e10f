/**
 * The tables that kubectl prints: it asks for `as=Table` and shows cells as they come, so that the columns and words of
 * each kind are made here, as Kubernetes makes them. A cell whose object is not of the shape of its kind is `<unknown>`.
 */
import type { KubeObject } from '../storage/kube-object.ts';
import {
  CONFIG_MAP_COLUMNS,
  CONTROLLER_REVISION_COLUMNS,
  EVENT_COLUMNS,
  NAME_AND_AGE,
  NAMESPACE_COLUMNS,
  NETWORK_POLICY_COLUMNS,
  NODE_COLUMNS,
  SCALE_COLUMNS,
  SECRET_COLUMNS,
} from './cluster-columns.ts';
import { type Cell, type Column, NAME } from './column.ts';
import { POD_COLUMNS } from './pod-columns.ts';
import { CILIUM_COLUMNS, type PrinterColumn, printerColumns } from './printer-columns.ts';
import { ENDPOINT_SLICE_COLUMNS, ENDPOINTS_COLUMNS, SERVICE_COLUMNS } from './service-columns.ts';
import {
  CRON_JOB_COLUMNS,
  DAEMON_SET_COLUMNS,
  DEPLOYMENT_COLUMNS,
  JOB_COLUMNS,
  POD_TEMPLATE_COLUMNS,
  REPLICA_SET_COLUMNS,
  REPLICATION_CONTROLLER_COLUMNS,
  STATEFUL_SET_COLUMNS,
} from './workload-columns.ts';

/** What a table is of: a kind, and for a custom one the columns that its definition names. */
export interface TableKind {
  /** `v1`, `apps/v1` */
  readonly apiVersion: string;
  readonly kind: string;
  readonly printerColumns?: readonly PrinterColumn[];
}

export interface TableOptions {
  /** Of `meta.k8s.io`: `v1`, `v1beta1`. */
  readonly version: string;
  /** What comes with each row: nothing, the metadata of its object, or all of it. */
  readonly includeObject: 'None' | 'Metadata' | 'Object';
  /** Of the list, or of the one object. */
  readonly metadata: object;
  /** Not with the later events of a watch. */
  readonly hasHeaders?: boolean;
  readonly nowMs: number;
}

interface Table {
  readonly kind: 'Table';
  readonly apiVersion: string;
  readonly metadata: object;
  readonly columnDefinitions: readonly object[] | null;
  readonly rows: readonly {
    readonly cells: readonly Cell[];
    readonly object: object | null;
    readonly conditions?: readonly object[];
  }[];
}

/** The table of some objects of one kind. */
export function tableOf(kind: TableKind, objects: readonly KubeObject[], options: TableOptions): Table {
  const columns = columnsOf(kind);
  const { version, metadata, hasHeaders = true, nowMs } = options;
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${version}`,
    metadata,
    columnDefinitions: hasHeaders ? columns.map(definitionOf) : null,
    rows: objects.map((object) => ({
      cells: columns.map((column) => cellOf(column, object, nowMs)),
      ...conditionsOf(kind, object),
      object: included(object, options),
    })),
  };
}

const POD_ENDS: Readonly<Record<string, string>> = {
  Succeeded: 'The pod has run to its end.',
  Failed: 'The pod has failed.',
};

/** Says of a pod that has ended that its row may be left out. */
function conditionsOf({ apiVersion, kind }: TableKind, object: KubeObject): { conditions?: object[] } {
  if (kind !== 'Pod' || apiVersion !== 'v1') return {};
  const phase = (object['status'] as { phase?: string } | undefined)?.phase ?? '';
  if (!Object.hasOwn(POD_ENDS, phase)) return {};
  return { conditions: [{ type: 'Completed', status: 'True', reason: phase, message: POD_ENDS[phase] }] };
}

function included(object: KubeObject, { includeObject, version }: TableOptions): object | null {
  if (includeObject === 'None') return null;
  if (includeObject === 'Object') return object;
  const { metadata } = object;
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata };
}

function cellOf(column: Column, object: KubeObject, nowMs: number): Cell {
  try {
    return column.cell(object, nowMs);
  } catch (error) {
    if (error instanceof TypeError) return '<unknown>';
    throw error;
  }
}

function definitionOf({ name, type, format = '', description = '', isWide = false }: Column): object {
  return { name, type, format, description, priority: isWide ? 1 : 0 };
}

const CREATED_AT: Column = {
  name: 'Created At',
  type: 'date',
  description: 'When the object was made.',
  cell: ({ metadata }) => metadata.creationTimestamp,
};

const COLUMNS: Readonly<Record<string, readonly Column[]>> = {
  'v1 Pod': POD_COLUMNS,
  'v1 PodTemplate': POD_TEMPLATE_COLUMNS,
  'v1 Service': SERVICE_COLUMNS,
  'v1 Endpoints': ENDPOINTS_COLUMNS,
  'v1 Node': NODE_COLUMNS,
  'v1 Namespace': NAMESPACE_COLUMNS,
  'v1 Event': EVENT_COLUMNS,
  'events.k8s.io/v1 Event': EVENT_COLUMNS,
  'v1 ConfigMap': CONFIG_MAP_COLUMNS,
  'v1 Secret': SECRET_COLUMNS,
  'v1 ServiceAccount': NAME_AND_AGE,
  'v1 ReplicationController': REPLICATION_CONTROLLER_COLUMNS,
  'apps/v1 Deployment': DEPLOYMENT_COLUMNS,
  'apps/v1 ReplicaSet': REPLICA_SET_COLUMNS,
  'apps/v1 StatefulSet': STATEFUL_SET_COLUMNS,
  'apps/v1 DaemonSet': DAEMON_SET_COLUMNS,
  'apps/v1 ControllerRevision': CONTROLLER_REVISION_COLUMNS,
  'batch/v1 Job': JOB_COLUMNS,
  'batch/v1 CronJob': CRON_JOB_COLUMNS,
  'autoscaling/v1 Scale': SCALE_COLUMNS,
  'discovery.k8s.io/v1 EndpointSlice': ENDPOINT_SLICE_COLUMNS,
  'networking.k8s.io/v1 NetworkPolicy': NETWORK_POLICY_COLUMNS,
};

function columnsOf({ apiVersion, kind, printerColumns: given }: TableKind): readonly Column[] {
  if (given !== undefined) return printerColumns(given);
  if (apiVersion === 'cilium.io/v2' && Object.hasOwn(CILIUM_COLUMNS, kind)) return printerColumns(CILIUM_COLUMNS[kind]);
  const key = `${apiVersion} ${kind}`;
  return Object.hasOwn(COLUMNS, key) ? COLUMNS[key] : [NAME, CREATED_AT];
}
