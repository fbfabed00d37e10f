/** Random policies of all kinds over a small alphabet, so that they meet. Every one is valid. */
import type { Dice } from './dice.ts';
import type { Document } from './parties.ts';
import { type ElementContext, type Grammar, NAME_SELECTORS, portKey, PortMaker } from './port-rules.ts';

export const NAMESPACES = ['shop', 'bank', 'lab'];
export const TEAMS = ['red', 'blue'];
export const APPS = ['web', 'db', 'api'];
export const TIERS = ['front', 'back'];
export const ZONES = ['a', 'b'];
export const CIDRS = ['20.0.0.0/8', '20.1.0.0/16', '20.1.2.0/24', '20.1.2.3/32', '30.0.0.0/8', '0.0.0.0/0'];
const NEAR_CIDRS = ['10.0.0.0/8', '10.0.1.0/24', '192.168.0.0/16'];
const CIDRS6 = ['2001:db8::/32', '2001:db8:1::/48', '::/0', 'fd00::/8'];
export const GROUPS = ['partners', 'offices', 'feeds'];
export const SERVICES = ['front', 'store', 'legacy', 'mirror'];
export const ACCOUNTS = ['default', 'robot'];

export class PolicyMaker {
  readonly #dice: Dice;
  readonly #grammar: Grammar;
  readonly #ports: PortMaker;

  constructor(dice: Dice, grammar: Grammar) {
    this.#dice = dice;
    this.#grammar = grammar;
    this.#ports = new PortMaker(dice, grammar);
  }

  policy(name: string): Document {
    const dice = this.#dice;
    return dice.weighted<() => Document>(
      [50, () => this.#cilium(name, dice.pick(NAMESPACES))],
      [25, () => this.#cilium(name, '')],
      [25, () => this.#kubernetes(name)],
    )();
  }

  #metadata(name: string, namespace: string): Document {
    const annotations = this.#dice.chance(4) ? { annotations: { 'sluice.io/audit': 'true' } } : {};
    return { name, ...(namespace !== '' && { namespace }), ...annotations };
  }

  // --- Cilium

  #cilium(name: string, namespace: string): Document {
    const dice = this.#dice;
    const isForHosts = namespace === '' && dice.chance(25);
    const spec = (): Document => this.#spec(namespace, isForHosts);
    return {
      apiVersion: 'cilium.io/v2',
      kind: namespace === '' ? 'CiliumClusterwideNetworkPolicy' : 'CiliumNetworkPolicy',
      metadata: this.#metadata(name, namespace),
      ...dice.weighted<() => Document>(
        [85, () => ({ spec: spec() })],
        [10, () => ({ specs: dice.list(1, 2, spec) })],
        [5, () => ({ spec: spec(), specs: [spec()] })],
      )(),
    };
  }

  #spec(namespace: string, isForHosts: boolean): Document {
    const dice = this.#dice;
    const spec: Document = isForHosts
      ? { nodeSelector: this.#nodeSelector() }
      : { endpointSelector: this.#subject(namespace) };
    const sections = dice.weighted<() => string[]>(
      [30, () => ['ingress']],
      [30, () => ['egress']],
      [15, () => ['ingress', 'egress']],
      [25, () => dice.some(['ingress', 'egress', 'ingressDeny', 'egressDeny'], dice.between(1, 3))],
    )();
    for (const section of sections) {
      spec[section] = dice.list(1, 3, () =>
        this.#element({
          way: section.startsWith('ingress') ? 'from' : 'to',
          isDeny: section.endsWith('Deny'),
          namespace,
          isForHosts,
        }),
      );
    }
    if (dice.chance(15)) {
      spec.enableDefaultDeny = {
        ...(dice.chance(80) && { ingress: dice.chance(30) }),
        ...(dice.chance(80) && { egress: dice.chance(30) }),
      };
    }
    return spec;
  }

  #subject(namespace: string): Document {
    const dice = this.#dice;
    return dice.weighted<() => Document>(
      [namespace === '' ? 5 : 0, () => ({ matchLabels: { 'reserved:init': '' } })],
      [35, () => ({})],
      [45, () => ({ matchLabels: { app: dice.pick(APPS) } })],
      [10, () => this.#labelSelector()],
      [5, () => ({ matchLabels: { 'k8s:io.kubernetes.pod.namespace': dice.pick(NAMESPACES), app: dice.pick(APPS) } })],
      [
        3,
        () => ({
          matchExpressions: [
            {
              key: 'k8s:io.kubernetes.pod.namespace',
              operator: dice.pick(['In', 'NotIn']),
              values: dice.some(NAMESPACES, 2),
            },
          ],
        }),
      ],
      [
        5,
        () =>
          namespace === '' ? { matchLabels: { 'k8s:io.cilium.k8s.namespace.labels.team': dice.pick(TEAMS) } } : {},
      ],
    )();
  }

  #nodeSelector(): Document {
    return this.#dice.weighted([50, {}], [50, { matchLabels: { zone: this.#dice.pick(ZONES) } }]);
  }

  #element(context: ElementContext): Document {
    const dice = this.#dice;
    const element: Document = { ...this.#peers(context), ...this.#ports.draw(context) };
    const mode = this.#authenticationFor(element);
    if (!context.isDeny && mode !== undefined && dice.chance(25)) element.authentication = { mode };
    return element;
  }

  /** Only when all its port rules agree on one. */
  #authenticationFor({ toPorts = [], icmps }: Document): string | undefined {
    const texts: string[] = toPorts.flatMap(({ ports = [] }: Document) => ports.map((port: Document) => portKey(port)));
    if (icmps !== undefined) return undefined;
    if (toPorts.length === 0) texts.push('all');
    const modes = new Set(texts.map((text) => this.#grammar.authentication.get(text)));
    return modes.size === 1 ? [...modes][0] : undefined;
  }

  #peers(context: ElementContext): Document {
    const dice = this.#dice;
    const { way, isDeny, namespace } = context;
    const isEgress = way === 'to';
    const { options } = this.#grammar;
    return dice.weighted<() => Document>(
      [30, () => ({ [`${way}Endpoints`]: dice.list(1, 2, () => this.#peerSelector(namespace)) })],
      [
        4,
        () => ({
          [`${way}Endpoints`]: dice.list(1, 2, () => this.#peerSelector(namespace)),
          [`${way}Requires`]: [{ matchLabels: { tier: dice.pick(TIERS) } }],
        }),
      ],
      [15, () => ({ [`${way}Entities`]: dice.list(1, 2, () => this.#entity(isDeny)) })],
      [10, () => ({ [`${way}CIDR`]: dice.list(1, 2, () => this.#cidr()) })],
      [15, () => ({ [`${way}CIDRSet`]: dice.list(1, 2, () => this.#cidrRule()) })],
      [options['enable-node-selector-labels'] ? 5 : 0, () => ({ [`${way}Nodes`]: [this.#nodeSelector()] })],
      [isEgress ? 8 : 0, () => ({ toServices: dice.list(1, 2, () => this.#service()) })],
      [isEgress && !isDeny ? 10 : 0, () => ({ toFQDNs: dice.list(1, 2, () => dice.pick(NAME_SELECTORS)) })],
      [isDeny ? 3 : 22, () => ({})],
      [2, () => ({ [`${way}${dice.pick(['Endpoints', 'Entities', 'CIDR', 'CIDRSet'])}`]: [] })],
    )();
  }

  #peerSelector(namespace: string): Document {
    const dice = this.#dice;
    return dice.weighted<() => Document>(
      [30, () => ({})],
      [40, () => this.#labelSelector()],
      [10, () => ({ matchLabels: { 'k8s:io.kubernetes.pod.namespace': dice.pick(NAMESPACES) } })],
      [5, () => ({ matchLabels: { 'io.kubernetes.pod.namespace': dice.pick(NAMESPACES), app: dice.pick(APPS) } })],
      [8, () => ({ matchLabels: { 'k8s:io.cilium.k8s.namespace.labels.team': dice.pick(TEAMS) } })],
      [4, () => ({ matchExpressions: [{ key: 'k8s:io.kubernetes.pod.namespace', operator: 'Exists' }] })],
      [
        8,
        () => ({ matchLabels: { [`reserved:${dice.pick(['host', 'world', 'remote-node', 'kube-apiserver'])}`]: '' } }),
      ],
      [3, () => ({ matchExpressions: [{ key: 'reserved:host', operator: 'DoesNotExist' }] })],
      [4, () => ({ matchLabels: { 'io.cilium.k8s.policy.serviceaccount': dice.pick(ACCOUNTS) } })],
      [3, () => ({ matchLabels: { 'k8s:io.cilium.k8s.policy.cluster': dice.pick(['default', 'other']) } })],
      [
        namespace === '' ? 3 : 0,
        () => ({
          matchLabels: { 'k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name': dice.pick(NAMESPACES) },
        }),
      ],
    )();
  }

  #labelSelector(isPlain = false): Document {
    const dice = this.#dice;
    const key = (name: string): string =>
      isPlain ? name : dice.weighted([70, name], [20, `k8s:${name}`], [10, `any:${name}`]);
    return dice.weighted<() => Document>(
      [40, () => ({ matchLabels: { [key('app')]: dice.pick(APPS) } })],
      [15, () => ({ matchLabels: { [key('app')]: dice.pick(APPS), [key('tier')]: dice.pick(TIERS) } })],
      [10, () => ({ matchLabels: { [key('tier')]: dice.pick(TIERS) } })],
      [10, () => ({ matchExpressions: [{ key: key('app'), operator: 'In', values: dice.some(APPS, 2) }] })],
      [
        10,
        () => ({
          matchExpressions: [{ key: key('app'), operator: 'NotIn', values: dice.some(APPS, dice.between(1, 2)) }],
        }),
      ],
      [6, () => ({ matchExpressions: [{ key: key('tier'), operator: 'Exists' }] })],
      [6, () => ({ matchExpressions: [{ key: key('tier'), operator: 'DoesNotExist' }] })],
      [3, () => ({ matchLabels: { [key('pod-template-hash')]: 'x' } })],
      [3, () => ({ matchLabels: { [key('app.kubernetes.io/name')]: dice.pick(APPS) } })],
    )();
  }

  #entity(isDeny: boolean): string {
    const dice = this.#dice;
    const grammar = this.#grammar;
    const weight = grammar.hasAggregates ? 1 : 0;
    return dice.weighted(
      [isDeny ? 2 : 25, 'all'],
      [25 * weight, 'world'],
      [20 * weight, 'cluster'],
      [3 * weight, 'cluster-mesh'],
      [12 * weight, 'remote-node'],
      [12, 'host'],
      [8, 'kube-apiserver'],
      [3, 'health'],
      [2, 'none'],
    );
  }

  #cidr(): string {
    return this.#dice.weighted(
      [70, this.#dice.pick(CIDRS)],
      [12, this.#dice.pick(NEAR_CIDRS)],
      [18, this.#dice.pick(CIDRS6)],
    );
  }

  #cidrRule(): Document {
    const dice = this.#dice;
    const except = (...list: string[]): Document =>
      dice.chance(50) ? { except: dice.some(list, dice.between(1, 2)) } : {};
    return dice.weighted<() => Document>(
      [40, () => ({ cidr: '20.0.0.0/8', ...except('20.1.0.0/16', '20.1.2.0/24', '20.1.2.3/32', '20.2.0.0/15') })],
      [15, () => ({ cidr: '0.0.0.0/0', ...except('20.0.0.0/8', '30.0.0.0/8', '10.0.0.0/8', '20.1.2.3/32') })],
      [8, () => ({ cidr: '10.0.0.0/8', ...except('10.0.1.0/24', '10.0.1.1/32') })],
      [10, () => ({ cidr: '2001:db8::/32', ...except('2001:db8:1::/48') })],
      [7, () => ({ cidr: '::/0', ...except('2001:db8::/32', 'fd00::/8') })],
      [15, () => ({ cidrGroupRef: dice.pick(GROUPS), ...except('20.1.2.3/32', '20.1.2.0/24') })],
      [8, () => ({ cidrGroupSelector: this.#groupSelector() })],
    )();
  }

  #groupSelector(): Document {
    const dice = this.#dice;
    const trust = dice.pick(['high', 'low']);
    const owner = dice.pick(['us', 'them']);
    return dice.pick([
      { matchLabels: { trust } },
      { matchLabels: { trust, owner } },
      { matchExpressions: [{ key: 'owner', operator: 'NotIn', values: [owner] }] },
      { matchExpressions: [{ key: 'trust', operator: 'Exists' }] },
    ]);
  }

  #service(): Document {
    const dice = this.#dice;
    const namespace = dice.chance(70) ? { namespace: dice.pick(NAMESPACES) } : {};
    return dice.chance(60)
      ? { k8sService: { serviceName: dice.pick(SERVICES), ...namespace } }
      : { k8sServiceSelector: { selector: { matchLabels: { kind: dice.pick(['inner', 'outer']) } }, ...namespace } };
  }

  // --- Kubernetes

  #kubernetes(name: string): Document {
    const dice = this.#dice;
    const elements = (list: 'from' | 'to'): Document[] => dice.list(0, 2, () => this.#kubernetesElement(list));
    return {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: this.#metadata(name, dice.pick(NAMESPACES)),
      spec: {
        podSelector: dice.chance(40) ? {} : this.#labelSelector(true),
        ...(dice.chance(70) && { ingress: elements('from') }),
        ...(dice.chance(50) && { egress: elements('to') }),
        ...dice.pick([
          {},
          { policyTypes: ['Ingress'] },
          { policyTypes: ['Egress'] },
          { policyTypes: ['Ingress', 'Egress'] },
        ]),
      },
    };
  }

  #kubernetesElement(list: 'from' | 'to'): Document {
    const dice = this.#dice;
    return {
      ...dice.weighted<() => Document>(
        [75, () => ({ [list]: dice.list(1, 2, () => this.#kubernetesPeer()) })],
        [15, () => ({})],
        [10, () => ({ [list]: [] })],
      )(),
      ...(dice.chance(55) && { ports: dice.list(1, 2, () => this.#kubernetesPort(list)) }),
    };
  }

  #kubernetesPeer(): Document {
    const dice = this.#dice;
    const namespaceSelector = dice.weighted<Document>([40, {}], [60, { matchLabels: { team: dice.pick(TEAMS) } }]);
    return dice.weighted<() => Document>(
      [35, () => ({ podSelector: dice.chance(20) ? {} : this.#labelSelector(true) })],
      [20, () => ({ namespaceSelector })],
      [20, () => ({ namespaceSelector, podSelector: this.#labelSelector(true) })],
      [
        25,
        () => {
          const { cidr, except } = this.#cidrRule();
          return { ipBlock: cidr === undefined ? { cidr: '30.0.0.0/8' } : { cidr, ...(except && { except }) } };
        },
      ],
    )();
  }

  #kubernetesPort(list: 'from' | 'to'): Document {
    const dice = this.#dice;
    const hasNames = list === 'from' || this.#grammar.hasEgressNames;
    return {
      ...dice.weighted<Document>(
        [60, { port: dice.pick([80, 8080, 443, 53]) }],
        [15, { port: 8080, endPort: 8095 }],
        [hasNames ? 15 : 0, { port: dice.pick(['web', 'log', 'missing']) }],
        [10, {}],
      ),
      ...dice.pick([{}, { protocol: 'TCP' }, { protocol: 'UDP' }]),
    };
  }
}
