/** How a command ended, as the error stream tells it: a Status for v4 and v5, text for those before. */

/** The exit code of the command, or why there is none. */
export type CommandEnd = { readonly exitCode: number } | { readonly error: string };

/** @returns what goes to the error stream, '' for nothing */
export function endText(end: CommandEnd, isStatus: boolean): string {
  const status = statusOf(end);
  if (isStatus) return JSON.stringify(status);
  return status.status === 'Success' ? '' : status.message;
}

function statusOf(end: CommandEnd) {
  if ('error' in end) {
    const message = `Internal error occurred: ${end.error}`;
    return { metadata: {}, status: 'Failure', message, reason: 'InternalError', code: 500 } as const;
  }
  if (end.exitCode === 0) return { metadata: {}, status: 'Success' } as const;
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${end.exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(end.exitCode) }] },
  } as const;
}
