/** Why a request to the daemon failed: one sentence with the action, what was found, and what to do. */
export class ApiError extends Error {
  /** The daemon is not there, or did not answer in time; otherwise it refused, or what answered is no daemon. */
  readonly isUnreachable: boolean;

  constructor(message: string, options: { readonly isUnreachable?: boolean; readonly cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'ApiError';
    this.isUnreachable = options.isUnreachable ?? false;
  }
}
