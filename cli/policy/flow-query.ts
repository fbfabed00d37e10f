/** A recorded flow (Hubble JSON) turned into the query that asks about it again. */
import { readFileSync } from 'node:fs';
import type { Endpoint, Envelope, Flow } from '../../hubble/flow.ts';
import { Failure } from '../terminal/failure.ts';
import { type Host, readStdin } from '../terminal/host.ts';
import { type FlowQuery, readQuery } from '../../explain/query.ts';

/**
 * The query of the first flow of a file.
 * @param path a file of JSON lines, or `-`
 * @throws Failure when it holds no flow that a policy judges
 */
export async function queryOfFlow(host: Host, path: string): Promise<FlowQuery> {
  const text = path === '-' ? await readStdin(host) : readText(path);
  const line = text.split('\n').find((one) => one.trim() !== '') ?? '';
  try {
    const envelope = JSON.parse(line) as Envelope & Flow;
    return readQuery(queryFields(envelope.flow ?? envelope));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new Failure(`read flow ${path}: ${error.message}`);
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Failure(`read flow ${path}: ${(error as NodeJS.ErrnoException).code}: check the --flow argument`);
  }
}

function queryFields(flow: Flow): unknown {
  const [from, to] = [endOf(flow.source, flow.IP?.source), endOf(flow.destination, flow.IP?.destination)];
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
  };
}

function endOf(endpoint: Endpoint, ip: string | undefined): unknown {
  if (endpoint.pod_name !== undefined) return { pod: `${endpoint.namespace ?? 'default'}/${endpoint.pod_name}` };
  if (ip !== undefined) return { ip };
  const reserved = endpoint.labels?.find((label) => label.startsWith('reserved:'));
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
