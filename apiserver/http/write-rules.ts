/** What makes of a request's body the object that is stored: field checks, defaults, patches, who manages which field. */
import type { KubeObject, NewObject } from '../storage/kube-object.ts';
import { StatusError } from '../storage/status-error.ts';

export interface RuleOptions {
  readonly manager: string;
  /** '' of the object itself. */
  readonly subresource: string;
  /** What becomes of unknown fields. */
  readonly mode: 'Strict' | 'Warn' | 'Ignore';
  /** Of an apply: conflicts are won. */
  readonly isForced: boolean;
  /** RFC 3339. */
  readonly time: string;
}

export interface Ruled {
  readonly object: NewObject;
  readonly warnings: readonly string[];
}

/** Each throws StatusError. */
export interface WriteRules {
  create(body: NewObject, options: RuleOptions): Ruled;
  replace(live: KubeObject, body: NewObject, options: RuleOptions): Ruled;
  patch(live: KubeObject, contentType: string, patch: unknown, options: RuleOptions): Ruled;
  apply(live: KubeObject | undefined, applied: NewObject, options: RuleOptions): Ruled;
}

/** Takes objects as they are. */
export const NO_RULES: WriteRules = {
  create: (object) => ({ object, warnings: [] }),
  replace: (live, body, { subresource }) => {
    const object =
      subresource === '' && live['status'] !== undefined ? { ...body, status: live['status'] as unknown } : body;
    return { object, warnings: [] };
  },
  patch: (_live, contentType) => {
    throw StatusError.unsupportedMediaType(`patches of ${contentType} are not served`);
  },
  apply: () => {
    throw StatusError.unsupportedMediaType('server-side apply is not served');
  },
};
