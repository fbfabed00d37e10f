/** Checks of toPorts: ports, protocols, and the L7 rules that may stand on them. */
import type { CiliumPort, CiliumPortRule } from '../document/cilium-document.ts';
import { isServiceName, parsePort } from '../rule/port.ts';
import { quote } from '../rule/problems.ts';
import { EXTENDED_PROTOCOLS } from '../../wire/protocols.ts';
import type { Reader } from '../document/reader.ts';
import type { Check } from './check.ts';
import { checkHttp, checkKafka } from './l7.ts';
import { isDnsName } from './names.ts';
import { checkFqdn } from './peers.ts';

interface PortCheck extends Check {
  readonly isEgress: boolean;
  readonly isHostPolicy: boolean;
}

const MAX_PORTS = 40;

export function checkPortRule(rule: CiliumPortRule, path: string, check: PortCheck): void {
  const { reader } = check;
  const ports = rule.ports ?? [];
  if (ports.length > MAX_PORTS) {
    reader.problem(`${path}.ports`, 'too-many-ports', `read ports: found ${ports.length}, wanted at most ${MAX_PORTS}`);
  }
  ports.forEach((port, i) => checkPort(port, `${path}.ports[${i}]`, check));
  checkServerNames(rule, path, reader);
  checkListener(rule, path, check);
  if (rule.terminatingTLS !== undefined || rule.originatingTLS !== undefined) {
    const field = rule.terminatingTLS !== undefined ? 'terminatingTLS' : 'originatingTLS';
    reader.warn(
      `${path}.${field}`,
      'tls-unenforced',
      `read toPorts: found ${field}, wanted none: TLS interception is not enforced yet`,
      'until it is, these ports are closed to the peers of this rule',
    );
  }
  checkL7(rule, path, check);
}

function checkPort(written: CiliumPort, path: string, check: Check): void {
  const { port, endPort = 0 } = written;
  const { reader, options } = check;
  if ((port ?? '') === '' && !options['enable-extended-ip-protocols']) {
    if (reader.isReported(`${path}.port`)) return;
    const hint = 'every port is "0"; every port and protocol, ICMP too, is a rule without toPorts';
    reader.problem(`${path}.port`, 'port', 'read port: found none, wanted one', hint);
    return;
  }
  const isNamed = port !== undefined && isServiceName(port);
  const number = port === undefined || isNamed ? 0 : parsePort(port);
  if (number === undefined) {
    const wanted = "0 to 65535 or a service name of at most 15 letters, digits and '-'";
    reader.problem(`${path}.port`, 'port', `read port: found ${quote(port)}, wanted ${wanted}`, rangeHint(port));
  } else if (port !== undefined && !isNamed && !/^(0|[1-9]\d*)$/.test(port)) {
    const message = `read port: found ${quote(port)}, wanted a decimal number`;
    reader.warn(`${path}.port`, 'port-base', message, `it is read as ${number}`);
  }
  if (isNamed && endPort > 0) {
    const message = `read port: found endPort beside the name ${quote(port)}, wanted a number as start`;
    reader.problem(`${path}.endPort`, 'named-range', message);
  } else if (number !== undefined && endPort > 0 && endPort < number) {
    const message = `read port: found endPort ${endPort} below port ${number}, wanted at least ${number}`;
    reader.warn(`${path}.endPort`, 'end-below-port', message, `it is taken as the single port ${number}`);
  }
  checkProtocol(written, isNamed || number !== 0, path, check);
}

/** `8000-9000` and `8000:9000` are what other firewalls write. */
function rangeHint(text = ''): string | undefined {
  const [, from, to] = /^(\d+) ?[-:] ?(\d+)$/.exec(text) ?? [];
  return from === undefined ? undefined : `a range is port: "${from}" and endPort: ${to}`;
}

function checkProtocol(
  { port, protocol }: CiliumPort,
  hasPort: boolean,
  path: string,
  { reader, options }: Check,
): void {
  if (protocol === undefined || !EXTENDED_PROTOCOLS.includes(protocol)) return;
  if (!options['enable-extended-ip-protocols']) {
    const wanted = 'TCP, UDP, SCTP or ANY while enable-extended-ip-protocols is false';
    reader.problem(`${path}.protocol`, 'extended-protocol', `read protocol: found ${protocol}, wanted ${wanted}`);
  } else if (hasPort) {
    const message = `read port: found ${quote(port)} with protocol ${protocol}, wanted 0: it has no ports`;
    reader.problem(`${path}.port`, 'extended-port', message);
  }
}

function checkServerNames(rule: CiliumPortRule, path: string, reader: Reader): void {
  if (rule.serverNames?.length === 0 && reader.isSound(`${path}.serverNames`)) {
    const hint = 'an empty list would restrict nothing; leave it out to mean that';
    reader.problem(`${path}.serverNames`, 'server-name', 'read serverNames: found none, wanted at least one', hint);
  }
  rule.serverNames?.forEach((name, i) => {
    const wrong = (message: string) => reader.problem(`${path}.serverNames[${i}]`, 'server-name', message);
    if (!isDnsName(name, true)) {
      wrong(`read server name: found ${quote(name)}, wanted a name or a pattern with *, at most 255 characters`);
    } else if (rule.serverNames?.indexOf(name) !== i) {
      wrong(`read server name: found ${quote(name)} twice, wanted it once`);
    }
  });
  if ((rule.serverNames?.length ?? 0) > 0 && hasRules(rule) && rule.terminatingTLS === undefined) {
    reader.problem(
      `${path}.serverNames`,
      'server-names-with-l7',
      'read toPorts: found serverNames beside rules, wanted terminatingTLS with them',
      'without ending TLS the requests inside cannot be read',
    );
  }
}

function checkListener(rule: CiliumPortRule, path: string, { reader, isEgress }: PortCheck): void {
  if (rule.listener === undefined) return;
  if (!isEgress) {
    reader.problem(
      `${path}.listener`,
      'listener-ingress',
      'read toPorts: found listener on ingress, wanted it on egress only',
    );
  } else if (hasRules(rule)) {
    reader.problem(
      `${path}.listener`,
      'listener-with-l7',
      'read toPorts: found listener beside rules, wanted one of them',
    );
  }
  reader.problem(
    `${path}.listener`,
    'listener',
    'read toPorts: found listener, wanted none',
    'it hands the stream to a listener of an Envoy that Sluice does not run; use rules.http, rules.dns or rules.kafka',
  );
}

function hasRules({ rules }: CiliumPortRule): boolean {
  return l7Count(rules?.http) + l7Count(rules?.dns) + l7Count(rules?.kafka) > 0;
}

function l7Count(list: readonly unknown[] | undefined): number {
  return list?.length ?? 0;
}

function checkL7(rule: CiliumPortRule, path: string, check: PortCheck): void {
  const { reader, options } = check;
  const { rules } = rule;
  if (rules === undefined) return;
  if (rules.l7proto !== undefined || rules.l7 !== undefined) {
    reader.problem(
      `${path}.rules`,
      'l7proto',
      'read rules: found l7proto/l7, wanted http, dns or kafka',
      'generic proxylib parsers are gone from Cilium since 1.20 and were never part of Sluice',
    );
  }
  if (Object.keys(rules).length === 0 && reader.isSound(`${path}.rules`)) {
    const hint = 'leave rules out to have no requests read';
    reader.problem(`${path}.rules`, 'no-parser', 'read rules: found nothing, wanted http, dns or kafka', hint);
  }
  const given = (['http', 'dns', 'kafka'] as const).filter((name) => rules[name] !== undefined);
  if (given.length > 1) {
    reader.problem(
      `${path}.rules`,
      'two-parsers',
      `read rules: found ${given.join(' and ')}, wanted one of them`,
      'make one entry of toPorts for each',
    );
  }
  if (hasRules(rule)) {
    if (!options['enable-l7-proxy']) {
      reader.problem(
        `${path}.rules`,
        'l7-disabled',
        'read rules: found L7 rules, wanted none while enable-l7-proxy is false',
      );
    }
    checkL7Ports(rule, path, check);
    checkHostL7(rule, path, check);
  }
  rules.http?.forEach((http, i) =>
    checkHttp(http, `${path}.rules.http[${i}]`, reader, !options['http-normalize-path']),
  );
  rules.dns?.forEach((dns, i) => checkFqdn(dns, `${path}.rules.dns[${i}]`, reader));
  rules.kafka?.forEach((kafka, i) => checkKafka(kafka, `${path}.rules.kafka[${i}]`, reader));
}

function checkL7Ports(rule: CiliumPortRule, path: string, { reader, isEgress }: PortCheck): void {
  const isDns = l7Count(rule.rules?.dns) > 0;
  if (isDns && !isEgress) {
    reader.problem(`${path}.rules.dns`, 'dns-ingress', 'read rules: found dns on ingress, wanted it on egress only');
  }
  if (isDns && l7Count(rule.ports) === 0) {
    reader.problem(path, 'dns-port', 'read rules: found dns without a port, wanted port 53');
  }
  rule.ports?.forEach(({ port, endPort, protocol }, i) => {
    const place = `${path}.ports[${i}]`;
    const isNone = port === undefined || (!isServiceName(port) && parsePort(port) === 0);
    if (isNone && !reader.isReported(`${place}.port`)) {
      reader.problem(`${place}.port`, 'l7-port', 'read port: found port 0 under L7 rules, wanted one port');
    }
    if (!isDns && protocol !== 'TCP' && !reader.isReported(`${place}.protocol`)) {
      reader.problem(
        `${place}.protocol`,
        'l7-protocol',
        `read protocol: found ${protocol ?? 'none'} under L7 rules, wanted TCP`,
        'write protocol: TCP; only dns rules may be over UDP',
      );
    }
    if (isDns && (endPort ?? 0) > (parsePort(port ?? '') ?? 0)) {
      reader.problem(`${place}.endPort`, 'dns-range', 'read port: found a range under dns rules, wanted single ports');
    }
  });
}

function checkHostL7(rule: CiliumPortRule, path: string, { reader, isEgress, isHostPolicy }: PortCheck): void {
  if (!isHostPolicy) return;
  if (isEgress && l7Count(rule.rules?.dns) > 0) return;
  reader.problem(
    `${path}.rules`,
    'host-l7',
    'read rules: found L7 rules in a host policy, wanted none but dns on egress',
  );
}
