/** `sluice service` and `sluice bpf lb`, `bpf nat`: tables read without the daemons. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { mapFile } from '../../dataplane/native/index.ts';
import { PINNED } from '../../policy-maps/pinned.ts';
import { BACKEND_ACTIVE, BACKEND_TERMINATING } from '../../policy-maps/service/backend-map.ts';
import { EGRESS_ADDRESS, EGRESS_EXCLUDED, EGRESS_NO_GATEWAY } from '../../policy-maps/service/egress-map.ts';
import {
  NAT_BACKEND,
  NAT_FRONTEND,
  NAT_KIND,
  NAT_SERVICE,
  NAT_TO,
  NAT_TO_PORT,
} from '../../policy-maps/service/nat-map.ts';
import * as row from '../../policy-maps/service/service-map.ts';
import { ServiceWriter } from '../../policy-maps/service/service-writer.ts';
import { runDir, sluice } from '../../test/fake-daemon.ts';
import { addressWords } from '../../wire/address.ts';

const maps = join(runDir, 'maps');
mkdirSync(maps, { recursive: true });
const SMALL = { capacity: 1024 };
const at = (address: string, port: number, scope = row.SCOPE_EXTERNAL) => ({
  ...{ address: addressWords(address), port, protocol: port === 0 ? 0 : 6, scope },
});
const backend = (address: string, state = BACKEND_ACTIVE) => ({ ...at(address, 8080), state, weight: 100 });

t.test('services out of the pinned maps', async (t) => {
  const writer = new ServiceWriter({
    addressFilter: PINNED.addressFilter.map.create(join(maps, PINNED.addressFilter.file), {}, mapFile),
    services: PINNED.services.map.create(join(maps, PINNED.services.file), SMALL, mapFile),
    slots: PINNED.slots.map.create(join(maps, PINNED.slots.file), SMALL, mapFile),
    backends: PINNED.backends.map.create(join(maps, PINNED.backends.file), SMALL, mapFile),
    reverseNat: PINNED.reverseNat.map.create(join(maps, PINNED.reverseNat.file), SMALL, mapFile),
    sourceRanges: PINNED.sourceRanges.map.create(join(maps, PINNED.sourceRanges.file), SMALL, mapFile),
  });
  const service = {
    flags: row.SERVICE_AFFINITY,
    affinitySec: 60,
    backends: [backend('10.0.0.1'), backend('10.0.0.2', BACKEND_TERMINATING)],
    sourceRanges: [],
  };
  writer.set(at('10.96.0.1', 0), { flags: 0, affinitySec: 0, backends: [], sourceRanges: [] });
  writer.set(at('10.96.0.1', 80), service);
  const flags = row.SERVICE_LOAD_BALANCER | row.SERVICE_ROUTABLE | row.SERVICE_TWO_SCOPES;
  const sourceRanges = [{ address: addressWords('fd00::'), prefixLength: 8 }];
  writer.set(at('2001:db8::1', 80, row.SCOPE_INTERNAL), { ...service, flags, backends: [], sourceRanges });

  t.equal(
    (await sluice('service list')).stdout,
    [
      'ID   Frontend                 Service Type   Backend',
      '1    10.96.0.1:80/TCP         ClusterIP      1 => 10.0.0.1:8080/TCP (active)',
      '                                             2 => 10.0.0.2:8080/TCP (terminating)',
      '2    [2001:db8::1]:80/TCP/i   LoadBalancer',
      '',
    ].join('\n'),
  );
  t.match(JSON.parse((await sluice('service get 1 -o json')).stdout), {
    id: 1,
    affinitySec: 60,
    flags: ['ClusterIP', 'sessionAffinity', 'non-routable'],
  });
  t.match(await sluice('service get 9'), { code: 1, stderr: /find service 9: there is none/ });
  t.match(await sluice('service get x'), { code: 2, stderr: /wanted the ID/ });
  t.equal(
    (await sluice('bpf lb list')).stdout,
    [
      'SERVICE ADDRESS              BACKEND ADDRESS (REVNAT_ID) (SLOT)',
      '10.96.0.1:0/ANY (0)          0.0.0.0:0 (0) (0) [ClusterIP, non-routable]',
      '10.96.0.1:80/TCP (0)         0.0.0.0:0 (1) (0) [ClusterIP, sessionAffinity, non-routable]',
      '10.96.0.1:80/TCP (1)         10.0.0.1:8080/TCP (1) (1)',
      '10.96.0.1:80/TCP (2)         10.0.0.2:8080/TCP (1) (2)',
      '[2001:db8::1]:80/TCP/i (0)   0.0.0.0:0 (2) (0) [LoadBalancer, check source-range, two-scopes]',
      '',
    ].join('\n'),
  );
  t.equal((await sluice('bpf lb list --frontends --no-headers')).stdout.split('\n').length, 4);
  t.equal(
    (await sluice('bpf lb list --backends')).stdout,
    'ID   BACKEND ADDRESS     STATE\n1    10.0.0.1:8080/TCP   active\n2    10.0.0.2:8080/TCP   terminating\n',
  );
  t.equal(
    (await sluice('bpf lb list --revnat')).stdout,
    'ID   SERVICE ADDRESS\n1    10.96.0.1:80/TCP\n2    [2001:db8::1]:80/TCP\n',
  );
  t.equal((await sluice('bpf lb list --source-ranges')).stdout, 'ID   SOURCE RANGE\n2    fd00::/8\n');
  t.match(await sluice('bpf lb list --backends --revnat'), { code: 2, stderr: /wanted one of/ });
});

t.test('translated connections out of the pinned map', async (t) => {
  const nat = PINNED.nat.map.create(join(maps, PINNED.nat.file), SMALL, mapFile);
  t.equal((await sluice('bpf nat list')).stdout, '');
  const [src0, src1, src2, src3] = addressWords('10.0.0.9');
  const [dst0, dst1, dst2, dst3] = addressWords('10.96.0.1');
  const tuple = { src0, src1, src2, src3, dst0, dst1, dst2, dst3, srcPort: 41000, dstPort: 80, protocol: 6 };
  const base = nat.insert(tuple);
  nat.words.set(addressWords('10.0.0.1'), base + NAT_TO);
  nat.words[base + NAT_TO_PORT] = 8080;
  nat.words[base + NAT_KIND] = NAT_SERVICE;
  nat.words[base + NAT_FRONTEND] = 1;
  nat.words[base + NAT_BACKEND] = 7;
  t.equal(
    (await sluice('bpf nat list')).stdout,
    'TCP 10.0.0.9:41000 -> 10.96.0.1:80 XLATE_DST 10.0.0.1:8080 Kind=service RevNAT=1 BackendID=7\n',
  );
  t.match(JSON.parse((await sluice('bpf nat list -o json')).stdout), [
    { kind: 'service', backend: 7, to: '10.0.0.1:8080' },
  ]);
});

t.test('egress gateway policies out of the pinned map', async (t) => {
  const map = PINNED.egress.map.create(join(maps, PINNED.egress.file), SMALL, mapFile);
  const source = addressWords('10.0.0.7');
  const [none, given] = [addressWords('::'), addressWords('192.0.2.9')];
  map.put({ source, destination: addressWords('0.0.0.0'), prefixLength: 96, kind: EGRESS_ADDRESS, address: given });
  map.put({
    source,
    destination: addressWords('198.51.100.0'),
    prefixLength: 120,
    kind: EGRESS_EXCLUDED,
    address: none,
  });
  const six = { source: addressWords('fd00::7'), destination: addressWords('2001:db8::'), prefixLength: 32 };
  map.put({ ...six, kind: EGRESS_NO_GATEWAY, address: none });
  t.equal(
    (await sluice('bpf egress list')).stdout,
    [
      'SOURCE IP   DESTINATION CIDR   EGRESS IP   GATEWAY',
      '10.0.0.7    198.51.100.0/24    0.0.0.0     Excluded CIDR',
      '10.0.0.7    0.0.0.0/0          192.0.2.9   this node',
      'fd00::7     2001:db8::/32      0.0.0.0     Not Found',
      '',
    ].join('\n'),
  );
  t.match(JSON.parse((await sluice('bpf egress list -o json')).stdout), [
    { source: '10.0.0.7', destination: '198.51.100.0/24', egressIP: '0.0.0.0', gateway: 'Excluded CIDR' },
  ]);
  map.close();
});
