/**
 * Looks after the running containers of a pod: the hook that follows a start, then the startup probe until it succeeds, then liveness and
 * readiness side by side.
 *
 * A probe runs `initialDelaySeconds` after the start and then every period, never twice at a time. `failureThreshold` failures in a row
 * make it fail, `successThreshold` successes succeed. A container without a startup probe has started at once; one without a
 * readiness probe is ready when it has started.
 */
import type { Pod, ProbeSpec } from '../pod-spec.ts';
import type { ContainerLife } from './container-life.ts';
import { runHandler } from './handler.ts';
import { runHook } from './hooks.ts';
import { endpointOf, type KubeletParts, tellOf } from './parts.ts';

/** The longest that a timer can wait. */
const MOST_MS = 2 ** 31 - 1;
/** What a hook may take. */
const HOOK_MS = 10 * 60_000;

type Kind = 'startup' | 'liveness' | 'readiness';

/** A container that is looked after. */
interface Watched {
  readonly life: ContainerLife;
  readonly attempt: number;
  readonly netns: string;
  readonly timers: Set<NodeJS.Timeout>;
  isOver: boolean;
}

/** A probe that goes on. */
interface Probing {
  readonly kind: Kind;
  readonly probe: ProbeSpec;
  successes: number;
  failures: number;
}

export class ContainerChecks {
  readonly #parts: KubeletParts;
  readonly #podOf: () => Pod;
  readonly #onChange: () => void;
  readonly #watched = new Map<ContainerLife, Watched>();

  /** @param onChange called when a container is ready or not any more, or is to be ended (its `condemned`) */
  constructor(parts: KubeletParts, podOf: () => Pod, onChange: () => void) {
    this.#parts = parts;
    this.#podOf = podOf;
    this.#onChange = onChange;
  }

  /** Looks after the attempt that runs; nothing new when it does already. */
  watch(life: ContainerLife, netns: string): void {
    if (this.#watched.get(life)?.attempt === life.attempt) return;
    this.forget(life);
    const watched: Watched = { life, attempt: life.attempt, netns, timers: new Set(), isOver: false };
    this.#watched.set(life, watched);
    void this.#begin(watched);
  }

  forget(life: ContainerLife): void {
    const watched = this.#watched.get(life);
    if (watched === undefined) return;
    watched.isOver = true;
    for (const timer of watched.timers) clearTimeout(timer);
    this.#watched.delete(life);
  }

  close(): void {
    for (const life of [...this.#watched.keys()]) this.forget(life);
  }

  async #begin(watched: Watched): Promise<void> {
    const { life, netns } = watched;
    const { startupProbe } = life.placed.spec;
    if (life.isStarted) {
      this.#started(watched);
      return;
    }
    const isWell = await runHook({ parts: this.#parts, pod: this.#podOf(), life, netns }, 'postStart', HOOK_MS);
    if (watched.isOver) return;
    if (!isWell) this.#condemn(watched, 'failed its postStart hook');
    else if (startupProbe === undefined) this.#started(watched);
    else this.#schedule(watched, { kind: 'startup', probe: startupProbe, successes: 0, failures: 0 });
  }

  #started(watched: Watched): void {
    const { life } = watched;
    const { readinessProbe, livenessProbe } = life.placed.spec;
    life.isStarted = true;
    const begin = (kind: Kind, probe: ProbeSpec): void =>
      this.#schedule(watched, { kind, probe, successes: 0, failures: 0 });
    if (readinessProbe === undefined) life.isReady = true;
    else begin('readiness', readinessProbe);
    if (livenessProbe !== undefined) begin('liveness', livenessProbe);
    this.#onChange();
  }

  #schedule(watched: Watched, probing: Probing): void {
    const { probe } = probing;
    const ageMs = Date.now() - (watched.life.processes?.startedMs ?? Date.now());
    const periodMs = Math.max(1, probe.periodSeconds ?? 10) * 1000;
    const again = (ms: number): void => {
      const run = async (): Promise<void> => {
        watched.timers.delete(timer);
        if ((await this.#probe(watched, probing)) && !watched.isOver) again(periodMs);
      };
      const timer = setTimeout(() => void run(), Math.min(ms, MOST_MS));
      watched.timers.add(timer);
    };
    again(Math.max(0, (probe.initialDelaySeconds ?? 0) * 1000 - ageMs));
  }

  /** @returns whether to go on */
  async #probe(watched: Watched, probing: Probing): Promise<boolean> {
    const { kind, probe } = probing;
    const why = await this.#ask(watched, probe);
    if (watched.isOver) return false;
    const { life } = watched;
    probing.successes = why === '' ? probing.successes + 1 : 0;
    probing.failures = why === '' ? 0 : probing.failures + 1;
    if (why !== '') {
      const message = `${kind[0].toUpperCase()}${kind.slice(1)} probe failed: ${why}`;
      tellOf(this.#parts, this.#podOf(), life.placed, { type: 'Warning', reason: 'Unhealthy', message });
    }
    const isWell = probing.successes >= (probe.successThreshold ?? 1);
    const isIll = probing.failures >= (probe.failureThreshold ?? 3);
    if (kind === 'readiness') {
      this.#setReady(life, isWell || (life.isReady && !isIll));
      return true;
    }
    if (isIll) this.#condemn(watched, `failed ${kind} probe`);
    else if (kind === 'startup' && isWell) this.#started(watched);
    return !isIll && !(kind === 'startup' && isWell);
  }

  #setReady(life: ContainerLife, isReady: boolean): void {
    if (life.isReady === isReady) return;
    life.isReady = isReady;
    this.#onChange();
  }

  #ask({ life, netns }: Watched, probe: ProbeSpec): Promise<string> {
    const pod = this.#podOf();
    return runHandler(probe, {
      spec: life.placed.spec,
      stateDir: this.#parts.runtime.containerFolder(pod.metadata.uid, life.placed.folder),
      netns,
      address: endpointOf(this.#parts, pod)?.addresses[0] ?? '',
      timeoutMs: Math.max(1, probe.timeoutSeconds ?? 1) * 1000,
    });
  }

  #condemn({ life }: Watched, why: string): void {
    life.condemned = why;
    this.#onChange();
  }
}
