/**
 * The exports of flows: the one of the configuration, and those of a file that is read anew whenever it changes. An export whose
 * settings are as they were goes on undisturbed. A file that is away, or has anything wrong, changes nothing: what was in force
 * before stays, and the problems are told until it is mended.
 */
import { readFile } from 'node:fs/promises';
import type { Envelope } from '../../hubble/flow.ts';
import type { FlowSink } from '../../hubble/sink.ts';
import { Exporter, type ExporterOptions, type ExportStatus } from './exporter.ts';
import { type ExportSettings, readFlowLogs } from './export-settings.ts';

const FILE_LOOK_MS = 1000;
const MAX_BYTES = 1_048_576; // of the file

export interface ExportsOptions extends ExporterOptions {
  readonly fixed: ExportSettings | undefined;
  /** The file of flowLogs; '' for none. */
  readonly path: string;
}

export class Exports implements FlowSink {
  readonly #options: ExportsOptions;
  readonly #fixed: Exporter | undefined;
  #fromFile: Exporter[] = [];
  #text: string | undefined;
  #unreadable = '';
  #problems: readonly string[] = [];
  #looking: Promise<void>;
  readonly #timer: NodeJS.Timeout | undefined;

  constructor(options: ExportsOptions) {
    this.#options = options;
    this.#fixed = options.fixed && new Exporter(options.fixed, options);
    this.#looking = options.path === '' ? Promise.resolve() : this.#look();
    if (options.path !== '') this.#timer = setInterval(() => void this.look(), FILE_LOOK_MS);
  }

  get statuses(): ExportStatus[] {
    return this.#all().map(({ status }) => status);
  }

  /** What is wrong now, one sentence each. */
  get problems(): string[] {
    const unreadable = this.#unreadable === '' ? [] : [this.#unreadable];
    return [
      ...unreadable,
      ...this.#problems,
      ...this.statuses.map(({ problem }) => problem).filter((problem) => problem !== ''),
    ];
  }

  take(envelopes: readonly Envelope[]): void {
    for (const exporter of this.#all()) exporter.take(envelopes);
  }

  /** Looks whether the file has changed. Called every second. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#look());
    return this.#looking;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
    await Promise.all(this.#all().map((exporter) => exporter.stop()));
  }

  #all(): readonly Exporter[] {
    return this.#fixed === undefined ? this.#fromFile : [this.#fixed, ...this.#fromFile];
  }

  async #look(): Promise<void> {
    const { path, fixed, log } = this.#options;
    let text: string;
    try {
      text = await readWhole(path);
    } catch (error) {
      const what = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
      this.#unreadable = `read the file of flowLogs ${path}: ${what}: exports stay as they are`;
      return;
    }
    this.#unreadable = '';
    if (text === this.#text) return;
    this.#text = text;
    const { exports, problems } = readFlowLogs(text, path, fixed === undefined ? [] : [fixed.path]);
    this.#problems = problems;
    if (problems.length > 0) log('error', 'the file of flowLogs is left as it was', { path, problems });
    else await this.#replace(exports);
  }

  async #replace(wanted: readonly ExportSettings[]): Promise<void> {
    const known = new Map(this.#fromFile.map((exporter) => [JSON.stringify(exporter.settings), exporter]));
    const kept = wanted.map((settings) => known.get(JSON.stringify(settings)));
    const gone = this.#fromFile.filter((exporter) => !kept.includes(exporter));
    // What goes lets go of its file before another takes that.
    this.#fromFile = kept.filter((exporter) => exporter !== undefined);
    for (const exporter of gone) await exporter.stop();
    this.#fromFile = wanted.map((settings, index) => kept[index] ?? new Exporter(settings, this.#options));
    this.#options.log('info', 'exports of flows are as the file of flowLogs says', {
      names: wanted.map(({ name }) => name),
    });
  }
}

async function readWhole(path: string): Promise<string> {
  const bytes = await readFile(path);
  if (bytes.length > MAX_BYTES) throw new Error(`found ${bytes.length} bytes, wanted at most ${MAX_BYTES}`);
  return bytes.toString();
}
