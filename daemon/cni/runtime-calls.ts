/**
 * What the plugin asks for: ADD, DEL, CHECK, STATUS, GC.
 *
 *   ADD     checks; asks the plugin to run what it needs (an address of a delegated IPAM plugin, labels of podman); notes the
 *           attachment, and answers when the endpoint forwards under a published policy. What fails after the note is undone.
 *   DEL     forgets the attachment, and answers when its interface is gone. One that is not known is no error.
 *   CHECK   compares what is there with what ADD made.
 *   GC      as DEL, for all of a network that the runtime does not name.
 *   STATUS  whether ADD could be served.
 *
 * Calls for one attachment go one after the other; a call that is repeated changes nothing.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { netnsIdentity } from '../../linux/netns.ts';
import { podLinkFaults, faultsText } from '../../linux/pod-link.ts';
import { findLink, macText } from '../../linux/links.ts';
import { podInterfaceOf } from '../../linux/attachment.ts';
import { routerAddresses } from '../config/config.ts';
import type { LocalPod } from '../attach/pod-reconciler.ts';
import { attachmentId, type CniAttachment, type CniAttachments } from './attachments.ts';
import { CNI_CODES, CniError } from './cni-error.ts';
import { hostEndOf } from './host-end.ts';
import { podIdentity, type PodIdentity, toldLabels } from './pod-identity.ts';
import { podmanCommand, podmanLabels } from './podman.ts';
import { type PreviousResult, previousInterface, readPrevious } from './previous-result.ts';
import type { AttachmentName, CniRequest, Outcome } from './request.ts';
import { madeResult, passedResult } from './result.ts';
import type { CniWorld } from './world.ts';

/** Patience with an endpoint; runtimes have two minutes and more. */
const READY_MS = 60_000;
const GONE_MS = 15_000;
const DOCUMENT_MS = 5000;
const ASK_MS = 5;

/** The answer to the plugin: a result, or a program that it must run first. */
export type CniAnswer = { readonly result: object | undefined } | { readonly run: readonly string[] };

type Place = Pick<CniAttachment, 'hostInterface' | 'mac' | 'addresses' | 'hasOwnAddresses' | 'dns'>;

export class RuntimeCalls {
  readonly #world: CniWorld;
  readonly #attachments: CniAttachments;
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(world: CniWorld) {
    this.#world = world;
    this.#attachments = world.attachments;
  }

  /**
   * @param signal given when the plugin has gone away: an ADD that is not done is undone
   * @throws CniError
   */
  call(request: CniRequest, signal: AbortSignal): Promise<CniAnswer> {
    switch (request.command) {
      case 'ADD':
        return this.#inTurn(request, () => this.#add(request, signal));
      case 'DEL':
        return this.#inTurn(request, () => this.#delete(request));
      case 'CHECK':
        return this.#inTurn(request, () => this.#check(request));
      case 'GC':
        return this.#collect(request);
      case 'STATUS':
        return Promise.resolve(this.#status());
    }
  }

  async #inTurn<T>(name: AttachmentName, work: () => Promise<T>): Promise<T> {
    const id = attachmentId(name);
    const before = this.#turns.get(id) ?? Promise.resolve();
    const turn = before.catch(() => {}).then(work);
    this.#turns.set(id, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(id) === turn) this.#turns.delete(id);
    }
  }

  async #add(request: CniRequest, signal: AbortSignal): Promise<CniAnswer> {
    const known = this.#attachments.get(request);
    const identity = netnsOf(request);
    const isRepeated = known?.netns === request.netns && known.netnsIdentity === identity;
    if (isRepeated) return { result: await this.#finish(request, known, signal) };
    const needed = await this.#prepare(request, identity);
    if ('run' in needed) return needed;
    if (known !== undefined) await this.#delete(request);
    try {
      this.#attachments.put(needed);
      return { result: await this.#finish(request, needed, signal) };
    } catch (error) {
      await this.#delete(request).catch(() => {});
      throw error;
    }
  }

  /** What is to be attached, once all is known. */
  async #prepare(request: CniRequest, identity: string): Promise<CniAttachment | { readonly run: readonly string[] }> {
    const { containerId, ifname, netns, config, outcomes } = request;
    const pod = podIdentity(request);
    const told = toldLabels(request);
    const place = await this.#placeOf(request);
    if (config.ipam !== '' && outcomeOf(outcomes, 'ipam') === undefined) return { run: ['ipam'] };
    const command = podmanCommand(request);
    const said = outcomeOf(outcomes, 'program');
    if (command.length > 0 && said === undefined) return { run: ['program', ...command] };
    const labels = command.length > 0 && said !== undefined ? { ...podmanLabels(said), ...told } : told;
    // podman's containers are of no cluster, whatever else is on this machine.
    const isAwaited = this.#world.isCluster && request.args['K8S_POD_NAMESPACE'] !== undefined;
    if (isAwaited) await this.#untilDocument(pod);
    const { name: network, mtu } = config;
    return {
      containerId,
      ifname,
      network,
      netns,
      netnsIdentity: identity,
      pod,
      labels,
      isAwaited,
      mtu,
      ...place,
    };
  }

  /** A pod is told to its node's runtime and to us at the same time: it is waited for a while, so that it need not be nobody first. */
  async #untilDocument(pod: PodIdentity): Promise<void> {
    const untilMs = performance.now() + DOCUMENT_MS;
    while (!this.#world.hasDocument(pod) && performance.now() < untilMs) await pause(ASK_MS);
  }

  /** Whose interface it is, and its addresses. */
  async #placeOf({ ifname, netns, config, outcomes }: CniRequest): Promise<Place> {
    const { previous, mac, ips } = config;
    if (previous !== undefined) {
      const { mac: found, addresses } = previousInterface(previous, ifname, netns);
      const hostInterface = await hostEndOf(ifname, netns);
      return { hostInterface, mac: found, addresses, hasOwnAddresses: true, dns: {} };
    }
    if (findLink(ifname, netns) !== undefined) {
      const message = `CNI_IFNAME: found an interface ${ifname} in ${netns} already, wanted none`;
      throw new CniError(CNI_CODES.environment, message);
    }
    const ipam = outcomeOf(outcomes, 'ipam');
    if (config.ipam === '' || ipam === undefined)
      return { hostInterface: '', mac, addresses: ips, hasOwnAddresses: false, dns: {} };
    const given = readAddresses(config.ipam, ipam);
    return {
      hostInterface: '',
      mac,
      addresses: given.ips.map(({ address }) => address),
      hasOwnAddresses: true,
      dns: given.dns,
    };
  }

  /** Waits until the endpoint forwards, and keeps the addresses that it got. */
  async #finish({ config, netns }: CniRequest, attachment: CniAttachment, signal: AbortSignal): Promise<object> {
    const pod = await this.#ready(attachment, signal);
    const { spec, attachment: made } = pod;
    if (attachment.addresses.length === 0) this.#attachments.put({ ...attachment, addresses: spec.addresses });
    if (config.previous !== undefined) return passedResult(config.cniVersion, config.previous);
    const name = podInterfaceOf(spec);
    const host = spec.hostInterface === '' ? {} : { host: { name: spec.hostInterface, mac: spec.routerMac } };
    return madeResult(config.cniVersion, {
      ...host,
      pod: { name, mac: spec.mac === '' ? (made?.foundMac ?? '') : spec.mac, mtu: spec.mtu, sandbox: netns },
      addresses: spec.addresses,
      gateways: routerAddresses(this.#world.config),
      dns: attachment.dns,
    });
  }

  async #ready(attachment: CniAttachment, signal: AbortSignal): Promise<LocalPod> {
    const key = keyOf(attachment);
    const untilMs = performance.now() + READY_MS;
    const error = await this.#world.publish();
    if (error !== '')
      throw new CniError(CNI_CODES.again, `try again later: attach ${key}: nothing can be published`, error);
    let problem = '';
    while (performance.now() < untilMs && !signal.aborted) {
      const refusal = this.#world.refusalOf(key);
      if (refusal !== undefined) throw new CniError(CNI_CODES.again, `attach ${key}: ${refusal}`);
      const pod = this.#world.pod(key);
      if (pod === undefined || !isCounting(pod, attachment) || this.#world.hasEnded(attachment.pod)) {
        const why = 'another container has its name by now, or a document says that it has ended';
        throw new CniError(CNI_CODES.attach, `attach ${key}: ${why}`);
      }
      const state = this.#world.stateOf(pod);
      if (state === 'ready' || state === 'unreachable') return pod;
      if (state === 'failed') throw new CniError(CNI_CODES.attach, `attach ${key}: ${pod.problem}`);
      problem = state === 'closed' ? 'its policy could not be published' : pod.problem;
      await pause(ASK_MS);
    }
    const why = signal.aborted ? 'the runtime gave up' : `not ready after ${READY_MS / 1000} s`;
    throw new CniError(CNI_CODES.again, `try again later: attach ${key}: ${why}`, problem);
  }

  async #delete(name: AttachmentName): Promise<CniAnswer> {
    const attachment = this.#attachments.get(name);
    if (attachment === undefined) return { result: undefined };
    const key = keyOf(attachment);
    this.#attachments.remove(name);
    await this.#world.publish();
    const untilMs = performance.now() + GONE_MS;
    while (this.#isLeft(key, attachment) && performance.now() < untilMs) await pause(ASK_MS);
    return { result: undefined };
  }

  /** A pod of this name that has another place by now is not what was taken away. */
  #isLeft(key: string, { netns }: CniAttachment): boolean {
    const pod = this.#world.pod(key);
    return pod === undefined ? this.#world.isKnown(key) : pod.spec.netns === netns;
  }

  async #check(request: CniRequest): Promise<CniAnswer> {
    const { config, ifname, netns } = request;
    if (config.previous === undefined)
      throw new CniError(CNI_CODES.config, 'prevResult: found none, CHECK needs the result of ADD');
    const attachment = this.#attachments.get(request);
    const wrong = (found: string, details = '') =>
      new CniError(CNI_CODES.check, `check ${attachmentId(request)}: ${found}`, details);
    if (attachment === undefined) throw wrong('no such attachment is known');
    const pod = this.#world.pod(keyOf(attachment));
    if (pod === undefined || !isCounting(pod, attachment)) throw wrong('its pod is no endpoint');
    checkResult(config.previous, attachment, request, wrong);
    if (attachment.hostInterface === '') {
      const faults = podLinkFaults(pod.spec);
      if (faults === 'missing') throw wrong(`found no interface ${ifname} in ${netns}`);
      if (faults !== undefined) throw wrong(faultsText(faults, ifname));
    } else if ((await hostEndOf(ifname, netns)) !== attachment.hostInterface)
      throw wrong(`the host's end of ${ifname} is another`);
    const state = this.#world.stateOf(pod);
    if (state !== 'ready') throw wrong(`its endpoint is ${state}`, this.#world.problemOf(pod));
    return { result: undefined };
  }

  async #collect({ config }: CniRequest): Promise<CniAnswer> {
    const valid = new Set(config.valid.map(attachmentId));
    const stale = this.#attachments.all().filter((one) => one.network === config.name && !valid.has(attachmentId(one)));
    const ends = await Promise.allSettled(stale.map((one) => this.#inTurn(one, () => this.#delete(one))));
    const failures = ends.flatMap((end) => (end.status === 'rejected' ? [(end.reason as Error).message] : []));
    if (failures.length > 0) throw new CniError(CNI_CODES.attach, `GC: ${failures.length} remain`, failures.join('; '));
    return { result: undefined };
  }

  #status(): CniAnswer {
    const { limited, unavailable } = this.#world.health();
    if (limited !== '') throw new CniError(CNI_CODES.limited, `no traffic passes: ${limited}`);
    if (unavailable !== '') throw new CniError(CNI_CODES.unavailable, `no pod can be attached: ${unavailable}`);
    return { result: undefined };
  }
}

function keyOf({ pod }: CniAttachment): string {
  return `${pod.namespace}/${pod.name}`;
}

function isCounting({ spec }: LocalPod, { netns, ifname }: CniAttachment): boolean {
  return spec.netns === netns && podInterfaceOf(spec) === ifname;
}

/** @throws CniError when there is no such namespace, or it is the agent's own */
function netnsOf({ netns }: CniRequest): string {
  const identity = netnsIdentity(netns);
  if (identity === undefined)
    throw new CniError(
      CNI_CODES.noContainer,
      `CNI_NETNS: found no network namespace at ${netns}, as the agent sees it`,
    );
  if (identity === netnsIdentity('/proc/self/ns/net'))
    throw new CniError(
      CNI_CODES.environment,
      `CNI_NETNS: found the host's own namespace at ${netns}, wanted a container's`,
    );
  return identity;
}

function outcomeOf(outcomes: readonly Outcome[], kind: string): Outcome | undefined {
  return outcomes.find((one) => one.kind === kind);
}

/** What the IPAM plugin gave. */
function readAddresses(plugin: string, { output }: Outcome): PreviousResult {
  let raw: unknown;
  try {
    raw = JSON.parse(output);
  } catch (error) {
    throw new CniError(CNI_CODES.decode, `read the result of ${plugin}: found no JSON`, (error as Error).message);
  }
  if (typeof raw !== 'object' || raw === null)
    throw new CniError(CNI_CODES.decode, `read the result of ${plugin}: wanted an object`);
  const result = readPrevious(raw as Record<string, unknown>, `the result of ${plugin}`);
  if (result.ips.length === 0) throw new CniError(CNI_CODES.config, `read the result of ${plugin}: found no address`);
  return result;
}

/** What ADD answered, against what there is. */
function checkResult(
  previous: PreviousResult,
  { addresses }: CniAttachment,
  { ifname, netns }: CniRequest,
  wrong: (found: string) => CniError,
): void {
  const told = previousInterface(previous, ifname, netns);
  const strange = told.addresses.filter((address) => !addresses.includes(address));
  if (strange.length > 0) throw wrong(`${strange.join(', ')} of prevResult is not its address`);
  const link = findLink(ifname, netns);
  if (link === undefined) throw wrong(`found no interface ${ifname} in ${netns}`);
  const mac = macText(link.mac);
  if (told.mac !== '' && told.mac !== mac) throw wrong(`found ${ifname} with ${mac}, wanted ${told.mac}`);
}
