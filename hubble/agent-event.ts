/** What changed in the agent, in the form of Hubble's JSON (flow.proto, AgentEvent): a type, and the notification that goes with it. */
export type AgentEvent =
  | { readonly type: 'AGENT_STARTED'; readonly agent_start: { readonly time: string } }
  | { readonly type: 'POLICY_UPDATED' | 'POLICY_DELETED'; readonly policy_update: PolicyUpdate }
  | {
      readonly type: 'ENDPOINT_REGENERATE_SUCCESS' | 'ENDPOINT_REGENERATE_FAILURE';
      readonly endpoint_regenerate: EndpointRegenerate;
    }
  | { readonly type: 'ENDPOINT_CREATED' | 'ENDPOINT_DELETED'; readonly endpoint_update: EndpointUpdate }
  | { readonly type: 'IPCACHE_UPSERTED' | 'IPCACHE_DELETED'; readonly ipcache_update: IpcacheUpdate }
  | { readonly type: 'SERVICE_UPSERTED'; readonly service_upsert: ServiceUpsert }
  | { readonly type: 'SERVICE_DELETED'; readonly service_delete: { readonly id: number } };

export interface PolicyUpdate {
  /** `source:key=value` of the policy. */
  readonly labels?: readonly string[];
  /** 64 bits, hence text. */
  readonly revision?: string;
  readonly rule_count?: string;
}

export interface EndpointRegenerate {
  readonly id: string;
  readonly labels?: readonly string[];
  readonly error?: string;
}

export interface EndpointUpdate extends EndpointRegenerate {
  readonly pod_name?: string;
  readonly namespace?: string;
}

export interface IpcacheUpdate {
  readonly cidr: string;
  readonly identity?: number;
  readonly old_identity?: number;
  readonly namespace?: string;
  readonly pod_name?: string;
}

export interface ServiceUpsert {
  readonly id: number;
  readonly frontend_address?: ServiceAddress;
  readonly backend_addresses?: readonly ServiceAddress[];
  readonly type?: string;
  readonly name?: string;
  readonly namespace?: string;
}

export interface ServiceAddress {
  readonly ip: string;
  readonly port?: number;
}
