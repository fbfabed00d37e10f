/** Questions about who may do what: whoever gets in may do everything, and is told so. Nothing is kept. */
import type { Resource } from '../resources/resource.ts';
import type { NewObject } from '../storage/kube-object.ts';
import type { User } from './call.ts';

const ACCESS = { allowed: true, reason: 'every client that has the certificate may do everything' };
const EVERYTHING = {
  resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
  nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
  incomplete: false,
};

const STATUS_OF: Readonly<Record<string, (user: User) => object>> = {
  SelfSubjectAccessReview: () => ACCESS,
  SubjectAccessReview: () => ACCESS,
  LocalSubjectAccessReview: () => ACCESS,
  SelfSubjectRulesReview: () => EVERYTHING,
  SelfSubjectReview: ({ name, groups }) => ({
    userInfo: { username: name, groups: [...groups, 'system:authenticated'] },
  }),
  TokenReview: () => ({ authenticated: false, error: 'clients are known by certificate, not by token' }),
};

export function isReview({ kind }: Resource): boolean {
  return Object.hasOwn(STATUS_OF, kind);
}

/** The answer to a review. */
export function reviewed({ kind }: Resource, body: NewObject, user: User): object {
  return { ...body, metadata: { ...body.metadata, creationTimestamp: null }, status: STATUS_OF[kind](user) };
}
