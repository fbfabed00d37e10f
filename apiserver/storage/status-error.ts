/**
 * What a request is refused with: an HTTP status, Kubernetes' word for it, and a sentence. Clients go by the word (`reason`) and by
 * `details.causes`; people read the sentence, so that it names the object as kubectl does: `deployments.apps "web"`.
 */

/** One fault of an object. */
export interface StatusCause {
  /** `spec.ports[0].port`; '' of the whole. */
  readonly field: string;
  /** `FieldValueInvalid`, `FieldValueRequired`, `FieldManagerConflict` ... */
  readonly reason: string;
  readonly message: string;
}

export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  /** The resource of most errors; the kind of `Invalid`. */
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

export class StatusError extends Error {
  override readonly name = 'StatusError';
  readonly code: number;
  readonly reason: string;
  readonly details: StatusDetails | undefined;

  constructor(code: number, reason: string, message: string, details?: StatusDetails) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = details;
  }

  /** @param resource with its group: `deployments.apps` */
  static notFound(resource: string, name: string): StatusError {
    return new StatusError(404, 'NotFound', `${resource} ${quoted(name)} not found`, named(resource, name));
  }

  static alreadyExists(resource: string, name: string): StatusError {
    return new StatusError(409, 'AlreadyExists', `${resource} ${quoted(name)} already exists`, named(resource, name));
  }

  static conflict(resource: string, name: string, why: string): StatusError {
    const message = `Operation cannot be fulfilled on ${resource} ${quoted(name)}: ${why}`;
    return new StatusError(409, 'Conflict', message, named(resource, name));
  }

  static forbidden(resource: string, name: string, why: string): StatusError {
    return new StatusError(403, 'Forbidden', `${resource} ${quoted(name)} is forbidden: ${why}`, named(resource, name));
  }

  /** @param kind with its group: `Deployment.apps` */
  static invalid(kind: string, name: string, causes: readonly StatusCause[]): StatusError {
    const texts = causes.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`));
    const found = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
    const details = { ...named(kind, name), causes };
    return new StatusError(422, 'Invalid', `${kind} ${quoted(name)} is invalid: ${found}`, details);
  }

  static badRequest(message: string): StatusError {
    return new StatusError(400, 'BadRequest', message);
  }

  /** What a watch or a list wanted to go on from is no longer known. */
  static expired(message: string): StatusError {
    return new StatusError(410, 'Expired', message);
  }

  /** A version that was never given. */
  static notYet(version: number, current: number): StatusError {
    const causes = [{ field: '', reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }];
    const message = `Timeout: Too large resource version: ${version}, current: ${current}`;
    return new StatusError(504, 'Timeout', message, { causes, retryAfterSeconds: 1 });
  }

  static methodNotAllowed(message: string): StatusError {
    return new StatusError(405, 'MethodNotAllowed', message);
  }

  static notAcceptable(message: string): StatusError {
    return new StatusError(406, 'NotAcceptable', message);
  }

  static unsupportedMediaType(message: string): StatusError {
    return new StatusError(415, 'UnsupportedMediaType', message);
  }

  static tooManyRequests(message: string): StatusError {
    return new StatusError(429, 'TooManyRequests', message, { retryAfterSeconds: 1 });
  }

  static internal(message: string): StatusError {
    return new StatusError(500, 'InternalError', message);
  }

  /** The object that a client gets. */
  toStatus(): object {
    const { code, reason, message, details } = this;
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message,
      reason,
      ...(details && { details }),
      code,
    };
  }
}

function quoted(name: string): string {
  return JSON.stringify(name);
}

function named(resource: string, name: string): StatusDetails {
  const dot = resource.indexOf('.');
  const kind = dot < 0 ? resource : resource.slice(0, dot);
  return { name, ...(dot > 0 && { group: resource.slice(dot + 1) }), kind };
}
