/**
 * The observatory: a thread of the agent that reads the event rings, keeps flows, hands them to sinks and serves
 * `<run dir>/hubble.sock`. What it knows of pods and policies the agent tells it; its messages are taken before each look at the
 * rings, and were sent before what they speak of was published, so that no flow is met by an older directory.
 */
import { join } from 'node:path';
import { getHeapStatistics } from 'node:v8';
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { hubbleSocket } from '../../api/sockets.ts';
import { mapFile } from '../../dataplane/native/index.ts';
import type { Envelope, Flow } from '../../hubble/flow.ts';
import { Redaction } from '../../hubble/decode/redact.ts';
import { Registry } from '../../hubble/metrics/registry.ts';
import { Ring } from '../../hubble/ring.ts';
import { flowsRate } from '../../hubble/service/flows-rate.ts';
import { Sinks } from '../../hubble/sink.ts';
import { CONFIG_DROPS_READ, ConfigMap } from '../../policy-maps/config-map.ts';
import { EVENT_RINGS, PINNED, type PinnedName } from '../../policy-maps/pinned.ts';
import type { Config } from '../config/config.ts';
import { ProbeFlows } from '../health/probe-flows.ts';
import { socketGroup } from '../serve/unix-listener.ts';
import type { FromThread } from '../supervise/supervised-thread.ts';
import { DropCounts } from './drop-counts.ts';
import { EMITTER } from './ring-source.ts';
import { AgentEvents } from './agent-events.ts';
import type { DirectoryDelta } from '../../hubble/decode/directory-delta.ts';
import { DirectoryMirror } from '../../hubble/decode/directory-mirror.ts';
import { FlowServer } from './flow-server.ts';
import { openHandlers } from './handlers.ts';
import type { OutletStatus, FromObservatory, ObservatoryData, ToObservatory } from './messages.ts';
import { NamespaceLog } from './namespace-log.ts';
import { Observer } from './observer.ts';
import { Ports } from './serve/ports.ts';
import { SharedState } from './shared-state.ts';
import { type Means, openExports, openHistory, openSinks } from './sinks.ts';

/** Between two looks at the size of the heap and at files of flows. */
const MEASURE_MS = 1000;

class Observatory {
  readonly #port: MessagePort;
  readonly #directory = new DirectoryMirror();
  readonly #probes = new ProbeFlows(process.pid & 0xffff);
  readonly #state: SharedState;
  readonly #ring: Ring;
  readonly #sinks: Sinks;
  readonly #observer: Observer;
  readonly #server: FlowServer;
  readonly #ports: Ports;
  readonly #agentEvents: AgentEvents;
  readonly #means: Means;
  /** Flows of the agent's own, until the next look. */
  readonly #told: Flow[] = [];
  #toldOutlets = '';
  readonly #measure: NodeJS.Timeout;
  #isStopping = false;

  constructor(port: MessagePort, { config, state }: ObservatoryData) {
    const { nodeName, runDir, hubble } = config;
    this.#port = port;
    this.#state = new SharedState(state);
    this.#ring = new Ring({ capacity: hubble['event-buffer-capacity'], nodeName, nowMs: Date.now });
    this.#sinks = new Sinks(({ name, error }) => this.#tell({ failure: { name, error: error.message } }));
    const pathOf = (name: PinnedName) => join(runDir, 'maps', PINNED[name].file);
    const words = ConfigMap.open(pathOf('config'), mapFile, { writable: true });
    const counted = PINNED.dropCounts.map.open(pathOf('dropCounts'), mapFile);
    const dropCounts = new DropCounts(counted, words, { directory: this.#directory, nodeName, emitter: EMITTER });
    this.#observer = new Observer({
      rings: EVENT_RINGS.map((name) => PINNED[name].map.open(pathOf(name), mapFile)),
      state: this.#state,
      directory: this.#directory,
      redaction: new Redaction(hubble.redact),
      nodeName,
      isOwn: (record) => this.#probes.has(record),
      sink: { take: (batch) => this.#hand(batch), tick: (timeMs) => this.#sinks.tick(timeMs) },
      beforeLook: () => this.#listen(),
      others: () => [...this.#told.splice(0), ...dropCounts.take(performance.now())],
      afterLook: ([, drops]) => words.store(CONFIG_DROPS_READ, drops),
    });
    this.#agentEvents = new AgentEvents(nodeName, Date.now);
    this.#agentEvents.agentStarted(Date.now() - process.uptime() * 1000);
    const base = {
      config,
      ring: this.#ring,
      directory: this.#directory,
      agentEvents: this.#agentEvents.ring,
      namespaces: new NamespaceLog(this.#directory),
      metrics: new Registry(),
      tell: (flow: Flow) => void this.#told.push(flow),
      look: () => this.#observer.look(),
      log: (level: 'info' | 'warn' | 'error', text: string, fields = {}) =>
        this.#tell({ log: { level, text, fields } }),
    };
    const means = { ...base, history: openHistory(base), exports: openExports(base) };
    this.#means = means;
    openSinks(this.#sinks, means);
    this.#server = new FlowServer(openHandlers(means));
    this.#ports = new Ports(this.#server, means.log);
    this.#measure = setInterval(() => this.#tellHow(), MEASURE_MS);
  }

  async start({ runDir, socketGroup: group, hubble }: Config): Promise<void> {
    await this.#means.history?.ready; // what the rings give again must be known
    this.#observer.start();
    await this.#server.listen({ path: hubbleSocket(runDir), groupId: socketGroup(group) });
    this.#ports.open(hubble);
    this.#tellHow(); // whoever asks for the status next finds what is kept
    this.#tell({ ready: true });
  }

  #tell(message: FromObservatory | FromThread): void {
    this.#port.postMessage(message);
  }

  #tellHow(): void {
    this.#state.heapBytes = getHeapStatistics().used_heap_size;
    const lost = this.#ring.lostToReaders;
    this.#state.api = { clients: this.#server.clients, flowsRate: flowsRate(this.#ring, Date.now()), lost };
    const { history, exports } = this.#means;
    const { status } = history ?? {};
    const files = [...(status?.problems ?? []), ...exports.problems];
    const problems = [...files, ...this.#server.problems, ...this.#ports.problems];
    const listeners = this.#ports.states;
    const outlets: OutletStatus = {
      ...(status && { history: status }),
      exports: exports.statuses,
      listeners,
      problems,
    };
    const text = JSON.stringify(outlets);
    if (text === this.#toldOutlets) return;
    this.#toldOutlets = text;
    this.#tell({ outlets });
  }

  #listen(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#port) as { readonly message: ToObservatory } | undefined;
      if (received === undefined) return;
      const { message } = received;
      if ('directory' in message) this.#learn(message.directory);
      else if ('probe' in message) this.#probes.note(message.probe.sequence, message.probe.address);
      else void this.#stop();
    }
  }

  #learn(delta: DirectoryDelta): void {
    this.#agentEvents.learn(delta);
    this.#directory.learn(delta);
  }

  #hand(batch: readonly Envelope[]): void {
    this.#sinks.take(batch);
    this.#state.kept = this.#ring.length;
  }

  async #stop(): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#observer.stop();
    clearInterval(this.#measure);
    this.#ports.stop();
    await this.#server.stop();
    await this.#sinks.stop();
    process.exit(0); // of the thread
  }
}

const data = workerData as ObservatoryData;
if (parentPort !== null) void new Observatory(parentPort, data).start(data.config);
