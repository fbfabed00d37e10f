// Policy maps and entries for tests.
import { EGRESS, INGRESS } from '../../wire/direction.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { memoryMapper } from '../../policy-maps/table/memory-mapper.ts';
import { type PolicyEntry } from '../../policy-maps/policy-entry.ts';
import { PolicyMap } from '../../policy-maps/policy-map.ts';
import { type ReferenceQuery } from './reference-tables.ts';

export const SEED = Number(process.env['SEED'] ?? 20240229);
t.comment(`seed ${SEED}`);

const folder = mkdtempSync(join(tmpdir(), 'sluice-policy-map-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
export const newPath = (kind: string) => join(folder, `${kind}_${files++}`);

export function newMap(capacity = 16384, clusterId = 0): PolicyMap {
  return PolicyMap.create(newPath('policy'), { capacity, parameter: clusterId, seed: [SEED, 7] }, memoryMapper());
}

export const TCP = 6;
export const UDP = 17;
export const CLUSTER = 11;

export function entry(fields: Partial<PolicyEntry>): PolicyEntry {
  const isPort = fields.port !== undefined && fields.portPrefix === undefined;
  return {
    identity: 0,
    egress: true,
    protocol: 0,
    port: 0,
    portPrefix: isPort ? 16 : 0,
    deny: false,
    ruleSet: 0,
    authType: 0,
    hasExplicitAuthType: false,
    precedence: LOW,
    cookie: 0,
    ...fields,
  };
}

// --- Cilium's scenarios (bpf/tests: policy selection), with its identities and precedences

export const LOW = 0x00ff0000;
export const HIGH = 0x00ff0100;
export const MAX = 0xffffffff;
export const POD = 12345;
export const POD_2 = 12346;
export const CIDR = 0x01000001;
export const RNODE = 0x02000001;

export function ask(map: PolicyMap, query: ReferenceQuery): number {
  const direction = query.egress ? EGRESS : INGRESS;
  return query.port === undefined
    ? map.lookupFragment(query.identity, direction, query.protocol)
    : map.lookup(query.identity, direction, query.protocol, query.port);
}
