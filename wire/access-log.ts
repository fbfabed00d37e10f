/**
 * The access-log record as its reader has it (l7-record-reader.ts): what the L7 engine tells of one request or response. Names are
 * those of Cilium's access log (pkg/proxy/accesslog), so that a record reads the same there and here. Endpoints, identities,
 * direction and cookies stand in the fixed fields of its event (event.ts).
 *
 * @example
 * {"Type":"Request","Verdict":"Denied","SourceEndpoint":{"IPv4":"10.0.0.1","Port":41000},
 *  "DestinationEndpoint":{"IPv4":"10.0.0.2","Port":80},
 *  "HTTP":{"Method":"PUT","URL":"http://api/x","Protocol":"HTTP/1.1","Code":403}}
 */
export interface AccessLog {
  readonly Type: 'Request' | 'Response' | 'Sample';
  readonly Verdict: 'Forwarded' | 'Denied' | 'Error' | 'Redirected';
  /** Free text, e.g. why a request was an error. */
  readonly Info?: string;
  /** Of a response: nanoseconds since its request; of the sample of a tunnel, since it was opened. */
  readonly LatencyNs?: number;
  /** Not of Cilium: the record had no room for all that there was. */
  readonly IsCut?: true;
  /** Not of Cilium: what a tunnel (CONNECT, websocket) carried, in bytes. */
  readonly Carried?: { readonly FromClient: number; readonly ToClient: number };
  /** The client, whichever way the message goes. */
  readonly SourceEndpoint?: AccessLogEndpoint;
  /** The server. */
  readonly DestinationEndpoint?: AccessLogEndpoint;
  readonly HTTP?: AccessLogHttp;
  readonly DNS?: AccessLogDns;
  readonly Kafka?: AccessLogKafka;
  readonly TLS?: AccessLogTls;
  readonly L7?: { readonly Proto: string; readonly Fields?: Readonly<Record<string, string>> };
}

export interface AccessLogEndpoint {
  readonly IPv4?: string;
  readonly IPv6?: string;
  readonly Port?: number;
}

export interface AccessLogHttp {
  readonly Code?: number;
  readonly Method: string;
  readonly URL: string;
  /** "HTTP/1.1", "HTTP/2" */
  readonly Protocol: string;
  readonly Headers?: Readonly<Record<string, readonly string[]>>;
  readonly MissingHeaders?: Readonly<Record<string, readonly string[]>>;
  readonly RejectedHeaders?: Readonly<Record<string, readonly string[]>>;
}

export interface AccessLogDns {
  /** With the final dot. */
  readonly Query: string;
  readonly IPs?: readonly string[];
  readonly TTL?: number;
  readonly CNAMEs?: readonly string[];
  /** "proxy" */
  readonly ObservationSource?: string;
  readonly RCode?: number;
  readonly QTypes?: readonly string[];
  readonly AnswerTypes?: readonly string[];
}

/** Not of Cilium: a TLS ClientHello that was judged by its server name. */
export interface AccessLogTls {
  /** As it came; '' = it has none. */
  readonly SNI: string;
}

export interface AccessLogKafka {
  readonly ErrorCode?: number;
  readonly APIVersion?: number;
  readonly APIKey?: string;
  readonly CorrelationID?: number;
  readonly Topic?: string;
}
