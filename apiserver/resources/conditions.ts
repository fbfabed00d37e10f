/** The conditions of a status. */
import { type KubeObject, timestamp } from '../storage/kube-object.ts';

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string | null;
  /** Of Deployments. */
  readonly lastUpdateTime?: string;
}

/** The condition of a type, of any object that has some. */
export function conditionOf(object: KubeObject, type: string): Condition | undefined {
  const { conditions } = (object['status'] ?? {}) as { conditions?: readonly Condition[] | null };
  return conditions?.find((one) => one.type === type);
}

/**
 * The conditions with one as it is now; its `lastTransitionTime` is when its status became what it is.
 * @param isUpdateTold whether it also has the time of this change
 * @returns `conditions` when that one is so already
 */
export function withCondition(
  conditions: readonly Condition[],
  condition: Condition,
  nowMs: number,
  isUpdateTold = false,
): readonly Condition[] {
  const before = conditions.find(({ type }) => type === condition.type);
  const { status, reason, message } = condition;
  if (before?.status === status && before.reason === reason && (before.message ?? '') === (message ?? ''))
    return conditions;
  const now = timestamp(nowMs);
  const lastTransitionTime = before?.status === status ? (before.lastTransitionTime ?? now) : now;
  const made = { lastTransitionTime, ...condition, ...(isUpdateTold && { lastUpdateTime: now }) };
  if (before === undefined) return [...conditions, made];
  return conditions.map((one) => (one === before ? made : one));
}

export function withoutCondition(conditions: readonly Condition[], type: string): readonly Condition[] {
  return conditions.filter((one) => one.type !== type);
}
