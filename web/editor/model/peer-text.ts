/** Peers in the words of the drawing. */
import type { Parser } from './drawing.ts';
import type { Group, Peer, Scope } from './peers.ts';
import { selectorText } from './selector-text.ts';
import { type Fields, fieldOf, textOf } from './values.ts';

const ENTITY_TEXTS: Readonly<Record<string, string>> = {
  all: 'Anyone',
  world: 'Everyone outside the cluster',
  cluster: 'Everything in the cluster',
  'cluster-mesh': 'Everything in the mesh of clusters',
  host: 'This node',
  'remote-node': 'Other nodes',
  'kube-apiserver': 'The API server',
  health: 'Health probes',
  init: 'Pods that are starting',
  ingress: 'Ingress proxies',
  unmanaged: 'Pods without policy',
  none: 'Nobody',
};

/** A line for a peer. */
export function peerText(peer: Peer): string {
  switch (peer.kind) {
    case 'anyone':
      return 'Anyone';
    case 'pods':
      return `${selectorText(peer.selector) || 'Every pod'}${scopeText(peer.scope)}`;
    case 'nodes':
      return `Nodes: ${selectorText(peer.selector) || 'every one'}`;
    case 'cidr':
      return peer.except.length === 0 ? peer.cidr : `${peer.cidr} except ${peer.except.join(', ')}`;
    case 'cidr-group':
      return `Prefixes of ${peer.name}${peer.except.length === 0 ? '' : ` except ${peer.except.join(', ')}`}`;
    case 'name':
      return peer.name;
    case 'pattern':
      return peer.pattern;
    case 'entity':
      return ENTITY_TEXTS[peer.entity] ?? peer.entity;
    case 'service':
      return `Service ${peer.name}${peer.namespace === '' ? '' : ` of ${peer.namespace}`}`;
    case 'other':
      return JSON.stringify(peer.value);
  }
}

function scopeText(scope: Scope): string {
  switch (scope.of) {
    case 'own':
      return '';
    case 'any':
      return ' of any namespace';
    case 'named':
      return ` of ${scope.name}`;
    case 'labelled':
      return ` of namespaces with ${selectorText(scope.selector)}`;
  }
}

export function groupText(group: Group, namespace: string): string {
  switch (group) {
    case 'anyone':
      return 'Anyone';
    case 'namespace':
      return `In namespace ${namespace}`;
    case 'cluster':
      return 'In the cluster';
    case 'outside':
      return 'Outside the cluster';
  }
}

/** A line for a request that passes. */
export function requestText(parser: Parser, fields: Fields): string {
  const said = (name: string): string => textOf(fieldOf(fields, name));
  const others = Object.entries(fields).filter(
    ([name]) => !['method', 'path', 'matchName', 'matchPattern'].includes(name),
  );
  const rest = others.map(([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const head =
    parser === 'http' ? [said('method') || 'any method', said('path')] : [said('matchName'), said('matchPattern')];
  return [...head, ...rest].filter((part) => part !== '').join(' ');
}
