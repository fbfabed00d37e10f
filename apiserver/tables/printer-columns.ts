/** The columns that the definition of a custom resource names (its additionalPrinterColumns), and those of Cilium's kinds. */
import type { KubeObject } from '../storage/kube-object.ts';
import { ageOf } from './age.ts';
import { AGE, type Cell, type Column, NAME } from './column.ts';
import { compileJsonPath } from './json-path.ts';

/** As in a CustomResourceDefinition. */
export interface PrinterColumn {
  readonly name: string;
  readonly type: string;
  readonly jsonPath: string;
  readonly description?: string;
  readonly priority?: number;
}

type JsonPath = (document: unknown) => unknown[];

const MOST_CHARACTERS = 1024;
/** Kubernetes' own kinds have an age that is a text. */
const DATED_AGE: Column = { ...AGE, type: 'date' };

/** The columns of a custom resource: its name, and those; AGE when it has none. One whose path cannot be read is left out. */
export function printerColumns(columns: readonly PrinterColumn[]): Column[] {
  const own = columns.flatMap((column) => {
    const path = readPath(column.jsonPath);
    return path === undefined ? [] : columnOf(column, path);
  });
  return [NAME, ...(columns.length === 0 ? [DATED_AGE] : own)];
}

/** One that looks at every depth costs more than a table may. */
function readPath(jsonPath: string): JsonPath | undefined {
  if (jsonPath.includes('..')) return undefined;
  try {
    return compileJsonPath(jsonPath);
  } catch {
    return undefined;
  }
}

function columnOf({ name, type, description = '', priority = 0 }: PrinterColumn, path: JsonPath): Column {
  const isDate = type === 'date';
  return {
    name,
    type: isDate || !isType(type) ? (isDate ? 'date' : 'string') : type,
    description,
    isWide: priority > 0,
    cell: (object: KubeObject, nowMs): Cell => {
      const values = path(object);
      if (values.length === 0 || values[0] === null) return null;
      return isDate ? ageOf(values[0], nowMs) : cellOf(values[0], type);
    },
  };
}

function isType(type: string): type is Column['type'] {
  return ['string', 'integer', 'number', 'boolean'].includes(type);
}

/** A value that is not of the column's type is not shown. */
function cellOf(value: unknown, type: string): Cell {
  if (type === 'integer') return Number.isInteger(value) ? (value as number) : null;
  if (type === 'number') return typeof value === 'number' ? value : null;
  if (type === 'boolean') return typeof value === 'boolean' ? value : null;
  return (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, MOST_CHARACTERS);
}

const AGE_COLUMN: PrinterColumn = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };
const VALID_COLUMN: PrinterColumn = {
  name: 'Valid',
  type: 'string',
  jsonPath: '.status.conditions[?(@.type=="Valid")].status',
};
const ENDPOINT = '.status.networking.addressing[0]';

/** Of Cilium's kinds, as its definitions have them. */
export const CILIUM_COLUMNS: Readonly<Record<string, readonly PrinterColumn[]>> = {
  CiliumNetworkPolicy: [AGE_COLUMN, VALID_COLUMN],
  CiliumClusterwideNetworkPolicy: [VALID_COLUMN],
  CiliumCIDRGroup: [],
  CiliumEgressGatewayPolicy: [AGE_COLUMN],
  CiliumEndpoint: [
    { name: 'Security Identity', type: 'integer', jsonPath: '.status.identity.id' },
    { name: 'Ingress Enforcement', type: 'string', jsonPath: '.status.policy.ingress.state', priority: 1 },
    { name: 'Egress Enforcement', type: 'string', jsonPath: '.status.policy.egress.state', priority: 1 },
    { name: 'Endpoint State', type: 'string', jsonPath: '.status.state' },
    { name: 'IPv4', type: 'string', jsonPath: `${ENDPOINT}.ipv4` },
    { name: 'IPv6', type: 'string', jsonPath: `${ENDPOINT}.ipv6` },
  ],
  CiliumIdentity: [
    { name: 'Namespace', type: 'string', jsonPath: '.metadata.labels.io\\.kubernetes\\.pod\\.namespace' },
    AGE_COLUMN,
  ],
  CiliumNode: [
    { name: 'CiliumInternalIP', type: 'string', jsonPath: '.spec.addresses[?(@.type=="CiliumInternalIP")].ip' },
    { name: 'InternalIP', type: 'string', jsonPath: '.spec.addresses[?(@.type=="InternalIP")].ip' },
    AGE_COLUMN,
  ],
};
