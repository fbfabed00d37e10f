/** The process that records: `sluice capture` starts it with the targets and options as JSON, and hears how it went. */
import { type CaptureOptions, capture } from './capture.ts';
import type { CaptureTarget } from './capture-targets.ts';
import { sentenceOf } from '../terminal/failure.ts';
import { untilInterrupted } from '../terminal/interrupt.ts';

/** What the worker says: that it has begun, and at its end a result, or why there is none. */
export type WorkerMessage = { readonly hasBegun: true } | WorkerResult;
export type WorkerResult = { readonly frames: number; readonly gaps: number } | { readonly error: string };

async function record(): Promise<WorkerResult> {
  const { targets, options } = JSON.parse(process.argv[2]) as { targets: CaptureTarget[]; options: CaptureOptions };
  try {
    return await untilInterrupted((signal) => capture(targets, options, { signal, onBegun }));
  } catch (error) {
    return { error: sentenceOf(error) };
  }
}

function onBegun(): void {
  process.send?.({ hasBegun: true } satisfies WorkerMessage);
}

void record().then((message) => process.send?.(message, () => process.disconnect()));
