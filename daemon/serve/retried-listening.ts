/**
 * Listening on an address of the configuration. One that cannot be had (somebody else has it, a certificate is missing) is told, in the
 * log once for each new reason, and tried again every LISTEN_RETRY_MS. It is never opened in another way than it was asked for.
 */
import { LISTEN_RETRY_MS } from '../config/listen-address.ts';

export interface RetriedListeningOptions {
  /** As the configuration has it. */
  readonly address: string;
  /** Lines of the log. */
  readonly texts: { readonly served: string; readonly failed: string };
  readonly log: (level: 'info' | 'error', text: string, fields: Readonly<Record<string, unknown>>) => void;
  /** Begins to listen; throws when it cannot. */
  readonly listen: () => Promise<unknown>;
  /** Called after each attempt. */
  readonly onAttempt?: () => void;
  readonly retryMs?: number;
}

export class RetriedListening {
  readonly address: string;
  /** Why it does not listen; '' when it does, or has not tried. */
  problem = '';
  isServed = false;
  readonly #options: RetriedListeningOptions;
  #retry: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(options: RetriedListeningOptions) {
    this.#options = options;
    this.address = options.address;
  }

  /** @returns when it has been tried once */
  async start(): Promise<void> {
    if (this.#isStopped) return;
    const { address, texts, log, listen, onAttempt, retryMs = LISTEN_RETRY_MS } = this.#options;
    try {
      await listen();
      this.problem = '';
      this.isServed = true;
      log('info', texts.served, { address });
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.problem) log('error', texts.failed, { address, error: message });
      this.problem = message;
      if (!this.#isStopped) this.#retry = setTimeout(() => void this.start(), retryMs);
    }
    onAttempt?.();
  }

  /** Tries no more; what listens goes on. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#retry);
  }
}
