/**
 * Writes flows that match as lines of JSON, the same as `observe -o json`. Lines wait in memory while the file is written to,
 * MAX_WAITING characters of them; what comes then is not written, counted, and told in the file as lost events as soon as
 * there is room. A file that cannot be written to is tried again every RETRY_MS.
 */
import { lostEnvelope } from '../../hubble/decode/decode.ts';
import { compileFilters } from '../../hubble/filter/filter.ts';
import type { Envelope } from '../../hubble/flow.ts';
import { compileMask, type Mask } from '../../hubble/message/field-mask.ts';
import type { FlowSink } from '../../hubble/sink.ts';
import { ExportFile, type ExportOutput, StandardOutput } from './export-file.ts';
import type { ExportSettings } from './export-settings.ts';

const MAX_WAITING = 8_388_608;
const RETRY_MS = 1000;
const MOST_LINES = 1024; // of one write

export interface ExporterOptions {
  readonly nodeName: string;
  readonly nowMs: () => number;
  readonly log: (level: 'info' | 'warn' | 'error', text: string, fields?: Readonly<Record<string, unknown>>) => void;
}

export interface ExportStatus {
  readonly name: string;
  readonly path: string;
  /** Lines written, and flows that found no room, since it was begun. */
  readonly written: number;
  readonly lost: number;
  /** Its end has come. */
  readonly ended: boolean;
  /** What is wrong; '' for nothing. */
  readonly problem: string;
}

export class Exporter implements FlowSink {
  readonly settings: ExportSettings;
  readonly #options: ExporterOptions;
  readonly #output: ExportOutput;
  readonly #matches: (envelope: Envelope) => boolean;
  readonly #mask: Mask | undefined;
  #waiting: string[] = [];
  #waitingLength = 0;
  #written = 0;
  #lost = 0;
  #untold = 0;
  #problem = '';
  #isStopped = false;
  #writing: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;

  /** @throws SyntaxError for filters and masks that make no sense */
  constructor(settings: ExportSettings, options: ExporterOptions, output?: ExportOutput) {
    this.settings = settings;
    this.#options = options;
    this.#matches = compileFilters(settings.allow, settings.deny);
    this.#mask = settings.mask.length === 0 ? undefined : compileMask(settings.mask);
    const { nowMs } = options;
    this.#output =
      output ?? (settings.path === 'stdout' ? new StandardOutput() : new ExportFile({ ...settings, nowMs }));
  }

  get status(): ExportStatus {
    const { name, path } = this.settings;
    const [written, lost, problem] = [this.#written, this.#lost, this.#problem];
    return { name, path, written, lost, ended: this.#hasEnded, problem };
  }

  take(envelopes: readonly Envelope[]): void {
    if (this.#hasEnded || this.#isStopped) return;
    for (const envelope of envelopes) if (this.#matches(envelope)) this.#add(envelope);
    this.#write();
  }

  /** Writes out what waits, if it can be. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#retry);
    await this.#writing;
    if (this.#problem === '') await this.#writeAll();
    await this.#output.close();
  }

  get #hasEnded(): boolean {
    return this.settings.endMs !== undefined && this.#options.nowMs() >= this.settings.endMs;
  }

  #add(envelope: Envelope): void {
    if (this.#waitingLength >= MAX_WAITING) {
      this.#lost++;
      this.#untold++;
      return;
    }
    if (this.#untold > 0) {
      const { nodeName, nowMs } = this.#options;
      this.#push(lostEnvelope('OBSERVER_EVENTS_QUEUE', this.#untold, nodeName, nowMs()));
      this.#untold = 0;
    }
    this.#push(envelope);
  }

  #push(envelope: Envelope): void {
    const { flow, node_name, time } = envelope;
    const isWhole = this.#mask === undefined || flow === undefined;
    const line = `${JSON.stringify(isWhole ? envelope : { flow: this.#mask(flow), node_name, time })}\n`;
    this.#waiting.push(line);
    this.#waitingLength += line.length;
  }

  #write(): void {
    if (this.#writing !== undefined || this.#retry !== undefined || this.#waiting.length === 0) return;
    this.#writing = this.#writeAll().finally(() => (this.#writing = undefined));
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const lines = this.#waiting.splice(0, MOST_LINES);
      const count = lines.length;
      try {
        await this.#output.write(lines);
        this.#wrote(count);
        this.#tell('');
      } catch (error) {
        this.#wrote(count - lines.length);
        this.#waiting = [...lines, ...this.#waiting];
        this.#tell(`export ${this.settings.name}: write ${this.settings.path}: ${messageOf(error)}`);
        if (!this.#isStopped) this.#retry = setTimeout(() => this.#again(), RETRY_MS).unref();
        return;
      }
    }
  }

  #again(): void {
    this.#retry = undefined;
    this.#write();
  }

  #wrote(count: number): void {
    this.#written += count;
    this.#waitingLength = this.#waiting.reduce((sum, { length }) => sum + length, 0);
  }

  #tell(problem: string): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    const { name } = this.settings;
    if (problem === '') this.#options.log('info', 'flows are exported again', { name });
    else this.#options.log('error', problem, { name });
  }
}

function messageOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}
