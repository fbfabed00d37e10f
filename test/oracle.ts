/**
 * What policies mean, said a second time and as plainly as possible: documents in, a verdict for one packet out. It shares
 * no code with policy/, knows no identities and no maps, and is slow; the compiled policies must agree with it.
 *
 * A packet has two sides: the egress of the pod it leaves and the ingress of the pod it enters. Each side is judged so:
 *   1. Of the rules that select the pod, those with something to say about the direction count. Are there none, the
 *      direction is open (unless enforcement is `always`); with enforcement `never` it is open anyway.
 *   2. A denial that covers peer and port wins over everything: 181.
 *   3. Does no grant cover them, the packet is dropped (133) if some rule closed the direction by default; but the local
 *      host reaches its pods.
 *   4. Authentication that a grant asks for fails: 189 (there is nobody to authenticate with).
 *   5. If one of the grants has L7 rules, requests are looked at: all grants that cover the packet count, and one without
 *      L7 rules lets every request pass.
 */
import { allHold, type Condition } from './oracle/labels.ts';
import { type Document, ofKind, type Party, whoIs, type World } from './oracle/parties.ts';
import { covers, type PortNames, specificity } from './oracle/ports.ts';
import { dnsMatches, httpMatches, kafkaAllows, type Requests, serverNameMatches } from './oracle/requests.ts';
import { type DirectionRules, type Grant, type Rule, rulesOf } from './oracle/rules.ts';

export interface Packet {
  readonly from: string;
  readonly to: string;
  readonly protocol: number;
  /** Destination port, or the ICMP type. */
  readonly port: number;
  /** What it would ask for, whatever is looked at. */
  readonly requests: Requests;
}

export type Direction = 'ingress' | 'egress';

export interface Side {
  /** 0 = allowed; 133 no rule allows it, 181 a rule denies it, 189 authentication. */
  readonly reason: 0 | 133 | 181 | 189;
  /** Some rule has a say in this direction, or all pods are enforced. */
  readonly enforced: boolean;
  /** Who reads the requests; undefined = nobody. */
  readonly parser: 'http' | 'dns' | 'kafka' | 'tls' | undefined;
  readonly request: 'none' | 'allowed' | 'denied';
}

const OPEN: Side = { reason: 0, enforced: false, parser: undefined, request: 'none' };

/** The order in which readers of requests are preferred. */
const PARSERS = ['http', 'kafka', 'tls', 'dns'] as const;

export class Oracle {
  readonly #rules: readonly Rule[];
  readonly #parties = new Map<string, Party>();
  readonly #selected = new Map<Party, Rule[]>();
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
    this.#rules = rulesOf(world);
  }

  whoIs(ip: string): Party {
    let party = this.#parties.get(ip);
    if (party === undefined) this.#parties.set(ip, (party = whoIs(this.#world, ip)));
    return party;
  }

  /** @param withTrial whether policies on trial count too */
  judge(packet: Packet, direction: Direction, withTrial = false): Side {
    const subject = this.whoIs(direction === 'egress' ? packet.from : packet.to);
    const remote = this.whoIs(direction === 'egress' ? packet.to : packet.from);
    const rules = this.#rulesFor(subject)
      .filter((rule) => withTrial || !rule.isAudited)
      .map((rule) => rule[direction])
      .filter((rule) => rule !== undefined);
    return this.#judgeSide({ packet, direction, subject, remote, rules });
  }

  /** Whether what would be dropped of the pod at this address passes all the same. */
  isAudited(ip: string): boolean {
    const isMarked = (document: Document | undefined): boolean =>
      document?.metadata.annotations?.['sluice.io/audit'] === 'true';
    const { pod } = this.whoIs(ip);
    const namespace = ofKind(this.#world, 'Namespace').find((one) => one.metadata.name === pod?.metadata.namespace);
    return this.#world.options['policy-audit-mode'] || isMarked(pod) || isMarked(namespace);
  }

  /** Whether some policy on trial is about the pod (or host) at this address. */
  isOnTrial(ip: string): boolean {
    const subject = this.whoIs(ip);
    if (subject.kind === 'host' && !this.#world.options['enable-host-firewall']) return false;
    return this.#rulesFor(subject).some((rule) => rule.isAudited);
  }

  #rulesFor(subject: Party): Rule[] {
    const known = this.#selected.get(subject);
    if (known !== undefined) return known;
    const labels = new Map(subject.labels);
    if (subject.kind === 'host') for (const [key, value] of this.#hostLabels()) labels.set(key, value);
    const rules = this.#rules.filter(
      (rule) => rule.isForHosts === (subject.kind === 'host') && allHold(rule.subject, labels),
    );
    this.#selected.set(subject, rules);
    return rules;
  }

  /** As a subject, the local host carries the labels of its node. */
  #hostLabels(): [string, string][] {
    const node = ofKind(this.#world, 'Node').find(({ metadata }) => metadata.name === this.#world.options['node-name']);
    return Object.entries<string>(node?.metadata.labels ?? {}).map(([key, value]) => [`k8s:${key}`, value]);
  }

  #judgeSide(question: Question): Side {
    const { packet, direction, subject, remote, rules } = question;
    const { options } = this.#world;
    if (options['enable-policy'] === 'never') return OPEN;
    if (subject.kind === 'host' && !options['enable-host-firewall']) return OPEN;
    const isAlways = options['enable-policy'] === 'always' || subject.kind === 'init';
    if (rules.length === 0 && !isAlways) return OPEN;

    const isClosed = isAlways || rules.some((rule) => rule.isDefaultDeny);
    const names = this.#portNames(direction, subject, remote);
    const grants = matching(rules, remote, (grant) => covers(grant.range, packet, names));
    if (grants.some((grant) => grant.isDeny)) return { ...OPEN, enforced: true, reason: 181 };
    const isLocalhost =
      direction === 'ingress' &&
      subject.kind !== 'host' &&
      remote.kind === 'host' &&
      options['allow-localhost'] !== 'policy';
    if (grants.length === 0) return { ...OPEN, enforced: true, reason: isClosed && !isLocalhost ? 133 : 0 };
    if (failsAuthentication(grants, packet.port, direction)) return { ...OPEN, enforced: true, reason: 189 };
    const parser = PARSERS.find((name) => grants.some((grant) => parserOf(grant) === name));
    if (parser === undefined) return { ...OPEN, enforced: true };
    // A direction that nothing closed, and the local host, are let through, but seen.
    const isFree = !isClosed || isLocalhost;
    const request = isFree || allowsRequest(parser, grants, packet.requests) ? 'allowed' : 'denied';
    return { reason: 0, enforced: true, parser, request };
  }

  /** Inwards a port name is the pod's own, outwards the remote pod's: pods with other names are other identities. */
  #portNames(direction: Direction, subject: Party, remote: Party): PortNames {
    const owner = direction === 'ingress' ? subject : remote;
    if (owner.kind !== 'pod') return () => [];
    return (name, protocol) =>
      (owner.pod!.spec?.containers ?? [])
        .flatMap((container: Document) => container.ports ?? [])
        .filter((port: Document) => port.name === name && PROTOCOLS[port.protocol ?? 'TCP'] === protocol)
        .map((port: Document) => port.containerPort);
  }
}

interface Question {
  readonly packet: Packet;
  readonly direction: Direction;
  readonly subject: Party;
  readonly remote: Party;
  readonly rules: readonly DirectionRules[];
}

const PROTOCOLS: Record<string, number> = { TCP: 6, UDP: 17, SCTP: 132 };

/** The grants and denials that are about the remote and the packet; endpoints must meet what any rule requires. */
function matching(rules: readonly DirectionRules[], remote: Party, isCovered: (grant: Grant) => boolean): Grant[] {
  const met = (conditions: (rule: DirectionRules) => readonly Condition[]): boolean =>
    allHold(rules.flatMap(conditions), remote.labels);
  const meets = { allow: met((rule) => rule.requirements), deny: met((rule) => rule.denyRequirements) };
  return rules
    .flatMap((rule) => rule.grants)
    .filter((grant) => isCovered(grant) && grant.peer.selects(remote))
    .filter((grant) => !grant.peer.takesRequirements || (grant.isDeny ? meets.deny : meets.allow));
}

const parserOf = ({ requests, serverNames }: Grant): Side['parser'] =>
  requests?.parser ?? (serverNames === undefined ? undefined : 'tls');

/** Requests: one grant that has nothing to say about them lets all pass; otherwise one rule must describe them. */
function allowsRequest(parser: Side['parser'], grants: readonly Grant[], requests: Requests): boolean {
  const listOf = ({ requests }: Grant): readonly any[] =>
    requests !== undefined && requests.parser === parser ? requests.list : [];
  switch (parser) {
    case 'http':
      // Server names alone say nothing about requests: they let all pass, as in Envoy (cilium/proxy network_policy.cc).
      return grants.some((one) => !one.requests || listOf(one).some((rule) => httpMatches(rule, requests.http)));
    case 'kafka':
      return grants.some((one) => !one.requests) || kafkaAllows(grants.flatMap(listOf), requests.kafka);
    case 'dns': {
      // The DNS proxy looks only at rules for exactly the port it listens on.
      const exact = grants.filter(({ range }) => /\/(\d+)-\1$/.test(range.text));
      return exact.some((one) => !one.requests || listOf(one).some((rule) => dnsMatches(rule, requests.dns)));
    }
    default:
      // A DNS list that server names outrank lets nothing pass here. Cilium hands such a port to Envoy, which is not told
      // of DNS lists and so lets everything pass: what was meant to restrict must not open, so this is a known difference.
      return mergedServerNames(grants.filter((one) => one.requests === undefined)).some(
        (names) =>
          names.length === 0 ||
          names.some((name) => requests.serverName !== undefined && serverNameMatches(name, requests.serverName)),
      );
  }
}

/** Rules about the same peer and ports share their server names: if one of them has any, all of it must be TLS. */
function mergedServerNames(grants: readonly Grant[]): string[][] {
  const merged = new Map<string, string[]>();
  for (const { peer, range, serverNames = [] } of grants) {
    const key = `${peer.text} ${range.text}`;
    merged.set(key, [...(merged.get(key) ?? []), ...serverNames]);
  }
  return [...merged.values()];
}

// --- authentication

/**
 * Grants for everyone and grants for chosen peers are two groups, each with the most specific range that has not been
 * overruled; see the two lookups of facts 3.4. In a group the most specific grant that says something about
 * authentication decides. Between the groups: first the kind of reader, then the range, then the chosen peer; and a
 * decision by inheritance gives way to a stricter one of the other group. Outwards, a port name for everyone belongs to
 * both: it is everyone's, but each peer resolves it for itself (facts 2.6).
 */
function failsAuthentication(grants: readonly Grant[], port: number, direction: Direction): boolean {
  const isNamed = ({ range }: Grant): boolean =>
    direction === 'egress' && range.ports !== undefined && 'name' in range.ports;
  const groups = [false, true].map((isEveryone) =>
    candidateOf(
      grants.filter((grant) => grant.peer.isEveryone === isEveryone || (grant.peer.isEveryone && isNamed(grant))),
      port,
    ),
  );
  const [specific, general] = groups;
  if (specific === undefined || general === undefined) return (specific ?? general)!.strictness > 0;
  const isGeneral =
    general.precedence > specific.precedence ||
    (general.precedence === specific.precedence && general.specificity > specific.specificity);
  const [chosen, other] = isGeneral ? [general, specific] : [specific, general];
  const inherits = !chosen.isExplicit && other.precedence === chosen.precedence;
  return (inherits ? Math.max(chosen.strictness, other.strictness) : chosen.strictness) > 0;
}

interface Candidate {
  /** Of the reader of requests; 0 = none. */
  readonly precedence: number;
  readonly specificity: number;
  readonly isExplicit: boolean;
  readonly strictness: number;
}

const STRICTNESS = { disabled: 0, required: 1, 'test-always-fail': 2 };

function candidateOf(grants: readonly Grant[], port: number): Candidate | undefined {
  const byRange = new Map<number, Candidate>();
  for (const grant of grants) {
    const range = specificity(grant.range, port);
    const parser = parserOf(grant);
    byRange.set(
      range,
      stricter(byRange.get(range), {
        precedence: parser === undefined ? 0 : PARSERS.length - PARSERS.indexOf(parser),
        specificity: range,
        isExplicit: grant.authentication !== undefined,
        strictness: grant.authentication === undefined ? 0 : STRICTNESS[grant.authentication],
      }),
    );
  }
  const ordered = [...byRange.values()].sort((a, b) => b.specificity - a.specificity);
  const precedence = Math.max(...ordered.map((one) => one.precedence));
  // A range that a wider one with a higher precedence covers counts only for the authentication it asks for.
  const [chosen] = ordered.filter(
    (one, i) => one.isExplicit || !ordered.slice(i).some((wide) => wide.precedence > one.precedence),
  );
  if (chosen === undefined) return undefined;
  if (chosen.isExplicit) return { ...chosen, precedence };
  const source = ordered.find((one) => one.isExplicit && one.specificity < chosen.specificity);
  return { ...chosen, strictness: source?.strictness ?? 0 };
}

/** Grants for one range: the higher precedence; what is said outright before what is not; then the stricter. */
function stricter(known: Candidate | undefined, next: Candidate): Candidate {
  if (known === undefined) return next;
  const precedence = Math.max(known.precedence, next.precedence);
  const said = known.isExplicit === next.isExplicit ? [known, next] : [known.isExplicit ? known : next];
  return { ...said[0], precedence, strictness: Math.max(...said.map((one) => one.strictness)) };
}
