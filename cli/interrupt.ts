/** Ctrl-C as a signal that commands which go on until then wait for. */

/** Aborted by the first SIGINT or SIGTERM; the second ends the process as ever. */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort());
  return controller.signal;
}
