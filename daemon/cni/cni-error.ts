/** Failures of CNI calls, as the specification numbers them. */

/** Error codes: up to 51 the specification's, from 100 on our own. */
export const CNI_CODES = {
  version: 1,
  unsupported: 2,
  noContainer: 3,
  environment: 4,
  decode: 6,
  config: 7,
  again: 11,
  unavailable: 50,
  limited: 51,
  /** The pod could not be attached. */
  attach: 100,
  /** CHECK found something else than ADD made. */
  check: 101,
} as const;

export class CniError extends Error {
  override readonly name = 'CniError';
  readonly code: number;
  readonly details: string;

  constructor(code: number, message: string, details = '') {
    super(message);
    this.code = code;
    this.details = details;
  }
}

/** The error object that goes to the runtime. @param version as the configuration gives it */
export function errorText(version: string, { code, message, details }: CniError): string {
  return `${JSON.stringify({ cniVersion: version, code, msg: message, ...(details !== '' && { details }) })}\n`;
}
