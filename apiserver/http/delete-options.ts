/** How something is to be deleted: in the query, or as DeleteOptions in the body. */
import type { DeleteOptions } from '../storage/deletion.ts';
import { StatusError } from '../storage/status-error.ts';
import type { WriteOptions } from '../storage/storage.ts';
import type { Call } from './call.ts';

const POLICIES = ['Background', 'Foreground', 'Orphan'] as const;
const LONGEST_GRACE_SEC = 2 ** 31;

interface Document {
  readonly propagationPolicy?: unknown;
  readonly orphanDependents?: unknown;
  readonly gracePeriodSeconds?: unknown;
  readonly preconditions?: { readonly uid?: unknown; readonly resourceVersion?: unknown } | null;
  readonly dryRun?: unknown;
}

/** @throws StatusError 400 */
export function deleteOptions({ query }: Call, body: unknown): DeleteOptions & WriteOptions {
  const document = (body ?? {}) as Document;
  if (typeof document !== 'object') throw StatusError.badRequest('read DeleteOptions: found no object');
  const { orphanDependents, preconditions, dryRun } = document;
  const grace = document.gracePeriodSeconds ?? query.get('gracePeriodSeconds') ?? undefined;
  const policy = document.propagationPolicy ?? query.get('propagationPolicy') ?? undefined;
  const orphans = orphanDependents ?? query.get('orphanDependents') ?? undefined;
  const uid = textIn(preconditions, 'uid');
  const resourceVersion = textIn(preconditions, 'resourceVersion');
  return {
    propagationPolicy: policy === undefined ? orphanPolicy(orphans) : policyOf(policy),
    gracePeriodSeconds: grace === undefined ? undefined : secondsOf(grace),
    preconditions: { ...(uid !== undefined && { uid }), ...(resourceVersion !== undefined && { resourceVersion }) },
    isDryRun: isDryRun(query) || isAll(dryRun),
  };
}

/** `dryRun=All`. @throws StatusError 400 for anything else */
export function isDryRun(query: URLSearchParams): boolean {
  const values = query.getAll('dryRun').filter((one) => one !== '');
  if (values.some((one) => one !== 'All')) throw StatusError.badRequest('dryRun: wanted All');
  return values.length > 0;
}

function isAll(dryRun: unknown): boolean {
  if (dryRun === undefined || dryRun === null) return false;
  if (!Array.isArray(dryRun) || dryRun.some((one) => one !== 'All'))
    throw StatusError.badRequest('dryRun: wanted ["All"]');
  return dryRun.length > 0;
}

function policyOf(text: unknown): (typeof POLICIES)[number] {
  const policy = POLICIES.find((one) => one === text);
  if (policy === undefined) throw StatusError.badRequest(`propagationPolicy: wanted one of ${POLICIES.join(', ')}`);
  return policy;
}

/** The older way to say it. */
function orphanPolicy(orphans: unknown): 'Orphan' | 'Background' | undefined {
  if (orphans === undefined) return undefined;
  return orphans === true || orphans === 'true' ? 'Orphan' : 'Background';
}

function secondsOf(value: unknown): number {
  const seconds = Number(value);
  if (!Number.isInteger(seconds) || Math.abs(seconds) > LONGEST_GRACE_SEC)
    throw StatusError.badRequest('gracePeriodSeconds: wanted whole seconds');
  return seconds;
}

function textIn(map: object | null | undefined, field: 'uid' | 'resourceVersion'): string | undefined {
  const value = (map as Record<string, unknown> | null | undefined)?.[field] ?? undefined;
  if (value === undefined || typeof value === 'string') return value;
  throw StatusError.badRequest(`preconditions.${field}: wanted a string`);
}
