/** What the agent and the observatory say to each other. */
import type { SinkFailure } from '../../hubble/sink.ts';
import type { Config } from '../config/config.ts';
import type { DirectoryDelta } from '../../hubble/decode/directory-delta.ts';
import type { ExportStatus } from './exporter.ts';
import type { HistoryStatus } from './history.ts';
import type { ListenerState } from './serve/ports.ts';

/** What a thread begins with. */
export interface ObservatoryData {
  readonly config: Config;
  /** Of SharedState. */
  readonly state: SharedArrayBuffer;
}

/** Where flows go: the history, exports and the ports of the API, and what is wrong with these and with the ports of the API. */
export interface OutletStatus {
  readonly history?: HistoryStatus;
  readonly exports: readonly ExportStatus[];
  readonly listeners: readonly ListenerState[];
  /** One sentence each. */
  readonly problems: readonly string[];
}

export type ToObservatory =
  | { readonly directory: DirectoryDelta }
  /** The agent has sent an echo request to a pod. */
  | { readonly probe: { readonly sequence: number; readonly address: string } }
  | { readonly stop: true };

/** Besides what every thread says. */
export type FromObservatory =
  /** How the ways out of flows are; when that has changed. */
  | { readonly outlets: OutletStatus }
  /** A sink is no longer served. */
  | { readonly failure: { readonly [K in keyof SinkFailure]: string } };
