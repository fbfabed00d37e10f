/** The shape of policy options in our own files: an option without a shape does not compile. */
import { OPTION_WORDS, type PolicyOptions } from '../rule/options.ts';
import { boolean, list, type ObjectShape, object, oneOf, type Shape, strictString } from './shape.ts';

const OPTIONS: { readonly [Option in keyof PolicyOptions]: Shape } = {
  'enable-policy': oneOf(...OPTION_WORDS['enable-policy']),
  'policy-audit-mode': boolean,
  'policy-cidr-match-mode': list(oneOf(...OPTION_WORDS['policy-cidr-match-mode'])),
  'policy-default-local-cluster': boolean,
  'cluster-name': strictString,
  'allow-localhost': oneOf(...OPTION_WORDS['allow-localhost']),
  'enable-l7-proxy': boolean,
  'http-normalize-path': boolean,
  'http-headers-with-underscores': oneOf(...OPTION_WORDS['http-headers-with-underscores']),
  'tofqdns-dns-reject-response-code': oneOf(...OPTION_WORDS['tofqdns-dns-reject-response-code']),
  'enable-icmp-rules': boolean,
  'enable-node-selector-labels': boolean,
  'enable-extended-ip-protocols': boolean,
  'enable-non-default-deny-policies': boolean,
  'enable-host-firewall': boolean,
  labels: list(strictString),
  'dual-stack': boolean,
  semantics: oneOf(...OPTION_WORDS.semantics),
  'node-name': strictString,
};

export const POLICY_OPTIONS: ObjectShape = object(OPTIONS);
