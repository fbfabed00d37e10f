/**
 * The dataplane's end of a recording of frames (policy-maps/recording-map.ts): taken up when the agent says that there is one, let go
 * when it says that there is none, or says nothing for too long. Looked at once a tick, beside the frames. What goes wrong here costs
 * the recording, and nothing else.
 */
import { join } from 'node:path';
import type { FrameRecorder } from '../../dataplane/frame-recorder.ts';
import { mapFile, unmapFile } from '../../dataplane/native/index.ts';
import { CONFIG_RECORDING, type ConfigMap } from '../../policy-maps/config-map.ts';
import { RECORDING_FILE, RecordingMap } from '../../policy-maps/recording-map.ts';

export class Recordings {
  readonly #directory: string;
  readonly #config: ConfigMap;
  readonly #frames: FrameRecorder;
  readonly #onProblem: (text: string) => void;
  #map: RecordingMap | undefined;
  /** The recording that was looked at last, whether it is under way or over. */
  #number = 0;

  /** @param directory of the maps */
  constructor(directory: string, config: ConfigMap, frames: FrameRecorder, onProblem: (text: string) => void) {
    this.#directory = directory;
    this.#config = config;
    this.#frames = frames;
    this.#onProblem = onProblem;
  }

  /** @param nowMs monotonic */
  refresh(nowMs: number): void {
    const number = this.#config.load(CONFIG_RECORDING);
    if (number !== this.#number) this.#takeUp(number, nowMs);
    if (this.#map === undefined) return;
    if (this.#map.isOver(nowMs)) this.#letGo();
    else this.#frames.refreshRows();
  }

  #takeUp(number: number, nowMs: number): void {
    this.#letGo();
    this.#number = number;
    if (number === 0) return;
    try {
      const map = RecordingMap.open(join(this.#directory, RECORDING_FILE), mapFile, { writable: true });
      this.#map = map;
      if (map.number !== number || map.isOver(nowMs)) {
        this.#letGo();
        return;
      }
      this.#frames.begin(map);
      map.takenUp = number;
    } catch (error) {
      this.#onProblem(`recording of frames: ${(error as Error).message}`);
    }
  }

  #letGo(): void {
    this.#frames.end();
    this.#map?.close(unmapFile);
    this.#map = undefined;
  }
}
