/** A recorded flow (Hubble JSON) turned into the query that asks about it again. */
import type { Endpoint, Flow } from '../../hubble/flow.ts';
import { type FlowQuery, readQuery } from '../query.ts';
import type { PolicyWorld } from '../world.ts';
import { partyOf } from './party.ts';

/**
 * The query about a flow. A pod that the world has is asked about by its name, another one by the labels that the flow has.
 * @throws SyntaxError when it is no flow that a policy judges
 */
export function flowQuery(flow: Flow, world: PolicyWorld): FlowQuery {
  return readQuery(queryFields(flow, world));
}

function queryFields(flow: Flow, world: PolicyWorld): unknown {
  const from = endOf(world, flow.source, flow.IP?.source);
  const to = endOf(world, flow.destination, flow.IP?.destination);
  const isReply = flow.is_reply === true;
  const { TCP, UDP, SCTP, ICMPv4, ICMPv6 } = flow.l4 ?? {};
  const ported = TCP ?? UDP ?? SCTP;
  const port = isReply ? ported?.source_port : ported?.destination_port;
  const http = flow.l7?.http;
  const protocol = TCP !== undefined ? 'TCP' : UDP !== undefined ? 'UDP' : 'SCTP';
  const icmp = ICMPv4 ?? ICMPv6;
  return {
    id: flow.uuid ?? null,
    from: isReply ? to : from,
    to: isReply ? from : to,
    ...(ported !== undefined && { port: port ?? 0, protocol }),
    ...(icmp !== undefined && { icmp: { family: ICMPv4 === undefined ? 'IPv6' : 'IPv4', type: icmp.type ?? 0 } }),
    ...(http !== undefined && { http: requestOf(http) }),
    ...(flow.l7?.dns?.query !== undefined && { dns: { query: flow.l7.dns.query } }),
    ...(flow.l7?.tlsSNI !== undefined && { sni: flow.l7.tlsSNI }),
    ...(flow.l7?.kafka !== undefined && { kafka: { apiKey: flow.l7.kafka.api_key, topic: flow.l7.kafka.topic } }),
  };
}

function endOf(world: PolicyWorld, endpoint: Endpoint, ip: string | undefined): unknown {
  const { pod_name: name, namespace = 'default', labels = [] } = endpoint;
  const reference = `${namespace}/${name ?? ''}`;
  const isKnown = world.pod(reference) !== undefined || world.outsider(reference) !== undefined;
  if (name !== undefined && isKnown) return { pod: reference };
  const party = partyOf(endpoint, ip ?? '');
  if (typeof party !== 'string' && party.kind === 'pod') return party.end;
  if (name !== undefined) return { pod: reference };
  if (ip !== undefined) return { ip };
  const reserved = labels.find((label) => label.startsWith('reserved:'));
  return reserved === undefined ? undefined : { entity: reserved.slice('reserved:'.length) };
}

interface HttpFields {
  readonly method?: string;
  readonly url?: string;
  readonly headers?: readonly { readonly key: string; readonly value: string }[];
}

function requestOf({ method, url = '/', headers = [] }: HttpFields): unknown {
  const [, host, path] = /^(?:[a-z]+:\/\/([^/]*))?(.*)$/s.exec(url) ?? [];
  return {
    ...(method !== undefined && { method }),
    ...(host !== undefined && host !== '' && { host }),
    path: path === '' ? '/' : path,
    headers: Object.fromEntries(headers.map(({ key, value }) => [key, value])),
  };
}
