/** Puts the parts of the dataplane together over a set of pinned maps: the one place that knows which needs which. */
import {
  CONFIG_CT_ANY_SEC,
  CONFIG_CT_REPORT_SEC,
  CONFIG_CT_TCP_FIN_SEC,
  CONFIG_CT_TCP_SEC,
  CONFIG_CT_TCP_SYN_SEC,
  CONFIG_EVENT_RATE_LIMIT,
  CONFIG_EVENTS_OFF,
  CONFIG_OFFLOAD_BYTES,
  CONFIG_ROUTER_IPV4,
  CONFIG_ROUTER_IPV6,
  CONFIG_TCP_NEEDS_SYN,
} from '../policy-maps/config-map.ts';
import { TranslationSettings } from '../policy-maps/service/translation-settings.ts';
import { ConnectionRows } from '../policy-maps/connection-rows.ts';
import type { Maps } from '../policy-maps/pinned.ts';
import { Frame } from '../wire/frame.ts';
import type { Arena, Batch } from './port/arena.ts';
import {
  LIFETIME_ANY_SEC,
  LIFETIME_CLOSE_SEC,
  LIFETIME_SYN_SEC,
  LIFETIME_TCP_SEC,
  REPORT_SEC,
} from './connection-life.ts';
import { Announcer } from './announcer.ts';
import { Conntrack } from './conntrack.ts';
import { Deliverer } from './deliver.ts';
import { Engine } from './engine.ts';
import { IcmpErrors } from './icmp-error.ts';
import { Identifier } from './identify.ts';
import { Judge } from './judge.ts';
import { Chooser } from './nat/chooser.ts';
import { Masquerade } from './nat/masquerade.ts';
import { OutwardSource } from './nat/outward.ts';
import { Translator } from './nat/translator.ts';
import { PodRanges } from './pod-ranges.ts';
import { PortTable } from './port/table.ts';
import { DropTeller } from './drop-teller.ts';
import { FrameRecorder } from './frame-recorder.ts';
import { Recorder } from './record.ts';
import type { Redirect } from './redirect.ts';
import { SegmentSender } from './segment-sender.ts';
import { Settled } from './settled.ts';
import { Uplinks } from './uplink.ts';

/** The maps that the engine reads and writes; policy maps come with their ports. */
export type EngineMaps = Omit<Maps, 'ports' | 'conditions' | 'l7Rules' | 'l7State' | 'fqdn' | 'dnsEvents'>;

const DEFAULT_EVENTS_PER_SEC = 20_000;

/** What an L7 engine is made from. */
export interface RedirectMeans {
  readonly sender: SegmentSender;
  /** The same over the rows of what is not TCP. */
  readonly datagramSender: SegmentSender;
  readonly recorder: Recorder;
  readonly conntrack: Conntrack;
}

/** A dataplane without its loop. */
export class Dataplane<R extends Redirect = Redirect> {
  readonly ports = new PortTable();
  readonly uplinks: Uplinks;
  readonly conntrack: Conntrack;
  readonly recorder: Recorder;
  readonly sender: SegmentSender;
  readonly datagramSender: SegmentSender;
  readonly redirect: R;
  readonly engine: Engine;
  readonly errors: IcmpErrors;
  readonly masquerade: Masquerade;
  readonly announcer: Announcer;
  readonly settled: Settled;
  readonly #translator: Translator;
  readonly #maps: EngineMaps;
  readonly #frame: Frame;
  readonly #podRanges = new PodRanges();
  readonly #router = { v4: 0, v6: new Int32Array(4) };

  /** @param makeRedirect makes the L7 engine; `() => NO_REDIRECT` for none */
  constructor(maps: EngineMaps, arena: Arena, makeRedirect: (means: RedirectMeans) => R) {
    this.#maps = maps;
    this.#frame = new Frame(arena.bytes);
    this.conntrack = new Conntrack(maps.ctTcp, maps.ctAny, this.ports);
    const rate = maps.config.load(CONFIG_EVENT_RATE_LIMIT) || DEFAULT_EVENTS_PER_SEC;
    const { events, l7Events } = maps;
    const frames = new FrameRecorder(arena.bytes, this.conntrack);
    this.recorder = new Recorder(maps.metrics, new DropTeller(maps), { events, l7Events, frames }, rate);
    this.uplinks = new Uplinks(this.ports, arena, this.recorder);
    const deliverer = new Deliverer(this.ports, this.uplinks, arena);
    const outward = new OutwardSource(maps.nat, maps.reverseNat);
    const rows = new ConnectionRows(maps.ctTcp.words);
    const means = { ports: this.ports, deliverer, outward, frames };
    this.sender = new SegmentSender(arena, { ...means, rows });
    const anyRows = new ConnectionRows(maps.ctAny.words);
    this.datagramSender = new SegmentSender(arena, { ...means, rows: anyRows });
    this.redirect = makeRedirect(this);
    const { ports, conntrack, recorder, redirect } = this;
    const { config, policyStats: stats } = maps;
    this.errors = new IcmpErrors(ports, this.#router);
    this.masquerade = new Masquerade(maps, conntrack, ports);
    this.announcer = new Announcer(maps.l2, ports, arena);
    const identifier = new Identifier({
      ports,
      endpoints: maps.endpoints,
      ipcache: maps.ipcache,
      uplinks: this.uplinks,
      podRanges: this.#podRanges,
      addressFilter: maps.addressFilter,
      services: maps.services,
      masquerade: this.masquerade,
      l2: maps.l2,
    });
    maps.nat.watch(maps.ctTcp, maps.ctAny);
    this.#translator = new Translator({
      nat: maps.nat,
      chooser: new Chooser(maps, { conntrack, identifier, ports }),
      outward,
      masquerade: this.masquerade,
      conntrack,
      ports,
    });
    const judge = new Judge({ ports, config, conntrack, identifier, recorder, stats });
    const { offers, offload, metrics } = maps;
    this.settled = new Settled({ offers, offload, metrics, stats, conntrack, judge, ports });
    this.engine = new Engine({
      ports,
      config,
      identifier,
      conntrack,
      judge,
      translator: this.#translator,
      addressFilter: maps.addressFilter,
      redirect,
      deliverer,
      errors: this.errors,
      recorder,
      fragments: maps.fragments,
      settled: this.settled,
    });
  }

  /** Takes over the words of the config map that seldom change. */
  refreshSettings(): void {
    this.#router.v4 = this.#maps.config.address(CONFIG_ROUTER_IPV4)[3];
    this.#router.v6.set(this.#maps.config.address(CONFIG_ROUTER_IPV6));
    const { config } = this.#maps;
    this.#podRanges.refresh(config);
    this.conntrack.needsSyn = config.load(CONFIG_TCP_NEEDS_SYN) !== 0;
    this.recorder.isTelling = config.load(CONFIG_EVENTS_OFF) === 0;
    const settings = new TranslationSettings(config);
    this.#translator.refresh(settings);
    this.errors.isRejecting = settings.isRejecting;
    this.settled.refresh(config.load(CONFIG_OFFLOAD_BYTES));
    const { life } = this.conntrack;
    life.tcpSec = config.load(CONFIG_CT_TCP_SEC) || LIFETIME_TCP_SEC;
    life.synSec = config.load(CONFIG_CT_TCP_SYN_SEC) || LIFETIME_SYN_SEC;
    life.closeSec = config.load(CONFIG_CT_TCP_FIN_SEC) || LIFETIME_CLOSE_SEC;
    life.anySec = config.load(CONFIG_CT_ANY_SEC) || LIFETIME_ANY_SEC;
    life.reportSec = config.load(CONFIG_CT_REPORT_SEC) || REPORT_SEC;
  }

  /** Runs every frame of a batch; what they send is queued on the ports, for the caller to flush. */
  run(batch: Batch): void {
    const f = this.#frame;
    for (let i = 0; i < batch.count; i++) {
      f.offset = batch.offsets[i];
      f.length = batch.lengths[i];
      this.engine.runFrame(f);
    }
  }

  /**
   * One turn of one port: receive a batch, run it, send what came of it.
   * @param epochMs wall clock, for events @param nowMs monotonic, for everything else
   * @returns frames received; 0 when there were none; a negative errno when the interface is down or gone
   */
  turn(portIndex: number, batch: Batch, epochMs: number, nowMs: number): number {
    const port = this.ports.port[portIndex];
    if (port === null) return 0;
    batch.nowMs = nowMs;
    const received = port.receive(batch);
    if (received <= 0) return received;
    this.#frame.port = portIndex;
    this.uplinks.nowSec = Math.floor(nowMs / 1000);
    this.engine.beginBatch(epochMs, nowMs);
    this.run(batch);
    this.ports.flush();
    batch.reset();
    return received;
  }
}
