/** Command lines that read pinned maps by themselves; names of identities alone come from the daemon. */
import { INGRESS } from '../../wire/direction.ts';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { mapFile, monotonicSec } from '../../dataplane/native/index.ts';
import { ConntrackMap } from '../../policy-maps/conntrack-map.ts';
import {
  CT_FLAG_SEEN_NON_SYN,
  CT_FLAGS,
  CT_LIFETIME,
  CT_ROW_WORDS,
  CT_SOURCE_ENDPOINT,
  CT_SRC_SEC_ID,
} from '../../policy-maps/conntrack-row.ts';
import { HTTP_DENIED } from '../../policy-maps/counters.ts';
import { CountersMap, PORT_SENT_FRAMES } from '../../policy-maps/counters-map.ts';
import { EndpointMap } from '../../policy-maps/endpoint-map.ts';
import { Ipcache } from '../../policy-maps/ipcache.ts';
import { MetricsMap } from '../../policy-maps/metrics-map.ts';
import { precedence } from '../../policy-maps/policy-entry.ts';
import { PolicyMap } from '../../policy-maps/policy-map.ts';
import { PortMap } from '../../policy-maps/port-map.ts';
import { PolicyStatsMap } from '../../policy-maps/policy-stats-map.ts';
import { runDir, sluice } from '../../test/fake-daemon.ts';

// --- pinned maps, without a daemon

const V4 = (word: number) => [0, 0, 0xffff, word] as const;
const ENTRY = { authType: 0, hasExplicitAuthType: false, protocol: 6, port: 80, portPrefix: 16 };

t.test('bpf reads the pinned maps by itself', async (t) => {
  const maps = join(runDir, 'maps');
  mkdirSync(maps);

  await t.test('policy get folds in the counters and knows labels', async (t) => {
    const policy = PolicyMap.create(join(maps, 'policy_7'), { capacity: 64 }, mapFile);
    policy.publish([
      { ...ENTRY, identity: 4711, egress: false, deny: false, ruleSet: 12, precedence: precedence(0, 2), cookie: 5 },
      {
        ...ENTRY,
        identity: 0,
        egress: true,
        deny: true,
        ruleSet: 0,
        precedence: precedence(0, 255),
        cookie: 6,
        protocol: 0,
        port: 0,
        portPrefix: 0,
      },
    ]);
    policy.lookup(4711, INGRESS, 6, 80);
    const stats = PolicyStatsMap.create(join(maps, 'policystats'), { capacity: 64 }, mapFile);
    stats.add(stats.slotFor(7, policy.entryIdentity, policy.entryPoint), 1500);
    t.equal(
      (await sluice('bpf policy get 7')).stdout,
      [
        'POLICY   DIRECTION   LABELS (source:key[=value])   PORT/PROTO   PROXY PORT   AUTH TYPE   BYTES   PACKETS   PREFIX   COOKIE   ORIGINS',
        'Deny     Egress      ANY                           ANY          NONE         disabled    0       0         0        6',
        'Allow    Ingress     k8s:app=web                   80/TCP       12           disabled    1500    1         24       5        CiliumNetworkPolicy/shop/allow-web spec.egressDeny[0] (a.yaml:7)',
        '',
      ].join('\n'),
    );
    t.match((await sluice('bpf policy get 7 -n -o json')).stdout, /"identity": 4711/);
    t.match((await sluice('bpf policy get --all -n')).stdout, /^Endpoint ID: 7\nPOLICY/);
    t.match(await sluice('bpf policy get 9'), { code: 1, stderr: /endpoints with one: 7/ });
    t.equal((await sluice('bpf policy get')).code, 2);
    t.match(await sluice('bpf policy get seven'), { code: 2, stderr: /wanted its id, or namespace\/name/ });
    t.match(await sluice('bpf policy get shop/none'), { code: 1, stderr: /no such pod is attached/ });
  });

  await t.test('ct list prints one line a connection', async (t) => {
    const ct = ConntrackMap.create(join(maps, 'ct_tcp'), { capacity: 64 }, mapFile);
    const tuple = {
      src0: 0,
      src1: 0,
      src2: 0xffff,
      src3: 0x0a000001,
      dst0: 0,
      dst1: 0,
      dst2: 0xffff,
      dst3: 0x0a000002,
    };
    const slot = ct.insert({ ...tuple, srcPort: 4000, dstPort: 80, protocol: 6 });
    const base = slot * CT_ROW_WORDS;
    ct.words[base + CT_LIFETIME] = monotonicSec() + 100;
    ct.words[base + CT_FLAGS] |= CT_FLAG_SEEN_NON_SYN;
    ct.words[base + CT_SOURCE_ENDPOINT] = 7;
    ct.words[base + CT_SRC_SEC_ID] = 4711;
    ct.account(base, 3, 180);
    const { stdout } = await sluice('bpf ct list tcp');
    t.match(
      stdout,
      /^TCP OUT 10\.0\.0\.1:4000 -> 10\.0\.0\.2:80 expires=\d+ Packets=3 Bytes=180 RxFlagsSeen=0x00 LastRxReport=0 TxFlagsSeen=0x00 LastTxReport=0 Flags=0x0010 \[ SeenNonSyn \] RevNAT=0 SourceSecurityID=4711\n$/,
    );
    t.match((await sluice('bpf ct list tcp -d')).stdout, /\(remaining: (100|99) sec\(s\)\)/);
    t.match(JSON.parse((await sluice('bpf ct list tcp -o json')).stdout), [{ source: '10.0.0.1', packets: 3 }]);
    ConntrackMap.create(join(maps, 'ct_any'), { capacity: 64 }, mapFile).close();
    t.equal((await sluice('bpf ct list global')).stdout, stdout);
    t.equal((await sluice('bpf ct list endpoint 7')).stdout, stdout);
    t.equal((await sluice('bpf ct list endpoint 8')).stdout, '');
    t.equal((await sluice('bpf ct list endpoint')).code, 2);
    t.equal((await sluice('bpf ct list tcp 7')).code, 2);
    rmSync(join(maps, 'ct_any'));
    t.match(await sluice('bpf ct list'), { code: 1, stderr: /ct_any.*has sluiced run/ });
  });

  await t.test('ipcache list and get', async (t) => {
    const ipcache = Ipcache.create(join(maps, 'ipcache'), { capacity: 64 }, mapFile);
    ipcache.upsert(V4(0x0a000000), 96 + 8, { identity: 2 });
    ipcache.upsert(V4(0x0a000002), 128, { identity: 4711 });
    t.equal(
      (await sluice('bpf ipcache list')).stdout,
      [
        'IP PREFIX/ADDRESS   IDENTITY',
        '10.0.0.0/8          identity=2 encryptkey=0 tunnelendpoint=0.0.0.0 flags=0',
        '10.0.0.2/32         identity=4711 encryptkey=0 tunnelendpoint=0.0.0.0 flags=0',
        '',
      ].join('\n'),
    );
    t.match(JSON.parse((await sluice('bpf ipcache get 10.9.9.9 -o json')).stdout), {
      prefix: '10.0.0.0/8',
      identity: 2,
    });
    t.match(await sluice('bpf ipcache get 11.0.0.1'), { code: 1, stderr: /its identity is world/ });
    t.equal((await sluice('bpf ipcache get eleven')).code, 2);
  });

  await t.test('endpoint list and metrics list', async (t) => {
    const endpoints = EndpointMap.create(join(maps, 'endpoints'), { capacity: 64 }, mapFile);
    const mac = { high: 0x0200, low: 1 };
    endpoints.upsert(V4(0x0a000002), { ifindex: 4, lxcId: 7, flags: 0, mac, nodeMac: mac, secId: 4711, portIndex: 3 });
    t.equal(
      (await sluice('bpf endpoint list')).stdout,
      'IP ADDRESS   LOCAL ENDPOINT INFO\n10.0.0.2     id=7 sec_id=4711 flags=0x0000 ifindex=4 mac=02:00:00:00:00:01 nodemac=02:00:00:00:00:01 port=3\n',
    );
    const metrics = MetricsMap.create(join(maps, 'metrics'), {}, mapFile);
    metrics.add(0, 2, 10, 1000);
    metrics.add(133, 1, 1, 60);
    const reasons =
      'REASON          DIRECTION   PACKETS   BYTES\nSuccess         EGRESS      10        1000\nPolicy denied   INGRESS     1         60\n';
    t.match(await sluice('bpf metrics list'), { code: 0, stdout: reasons, stderr: /counters/ });
    const counters = CountersMap.create(join(maps, 'counters'), {}, mapFile);
    const ports = PortMap.create(join(maps, 'ports'), {}, mapFile);
    ports.set(3, {
      kind: 'veth',
      ifname: 'sluice_3',
      ifindex: 9,
      mac,
      endpointId: 7,
      secId: 4711,
      mtu: 1500,
      flags: 0,
    });
    counters.words[HTTP_DENIED] = 4;
    counters.portWords(3)[PORT_SENT_FRAMES] = 12;
    t.equal(
      (await sluice('bpf metrics list')).stdout,
      [
        reasons,
        'COUNTER                           VALUE   UNIT       MEANING',
        'http_requests{verdict="denied"}   4       messages   Denied.',
        '',
        'PORT   INTERFACE   RX FRAMES   RX BYTES   RX DROPS   TX FRAMES   TX BYTES   TX DROPS',
        '3      sluice_3    0           0          0          12          0          0',
        '',
      ].join('\n'),
    );
    t.match(JSON.parse((await sluice('bpf metrics list -o json')).stdout), [
      { reason: 0, packets: 10 },
      { reason: 133, bytes: 60 },
      { counter: 'http_requests{verdict="denied"}', value: 4, unit: 'messages' },
      { port: 3, interface: 'sluice_3', sentFrames: 12 },
    ]);
  });

  await t.test('map list shows every map, and which of them is damaged', async (t) => {
    writeFileSync(join(maps, 'events'), 'not a map');
    const { stdout } = await sluice('map list');
    t.match(stdout, /^NAME +NUM ENTRIES +CAPACITY/);
    t.match(stdout, /policy_7 +2 +64 +0/);
    t.match(stdout, /events .*open map .*events: file size: found 9/);
  });
});
