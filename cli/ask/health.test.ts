/** `sluice health`. */
import { rmSync } from 'node:fs';
import t from 'tap';
import { hubbleSocket } from '../../api/sockets.ts';
import { ENDPOINTS, runDir, STATUS, sluice } from '../../test/fake-daemon.ts';

const probed = { isReachable: true, rttMs: 0.25, probedAt: '2026-03-01T12:00:30Z' };
const [web] = ENDPOINTS;

t.test('processes and pods that are well are told, in the end with 0', async (t) => {
  Object.assign(web.health, { '10.244.0.2': probed });
  t.match(await sluice('health'), {
    code: 0,
    stdout: [
      'Health: ok',
      '',
      'PROCESS       STATE',
      'agent         running, pid 7',
      'dataplane     running, pid 8',
      'name server   running, pid 4713',
      'observatory   answers',
      '',
      'POD          STATE   ADDRESS      PROBE',
      'shop/web-0   ready   10.244.0.2   ok, RTT 0.25 ms',
      '',
    ].join('\n'),
  });
  const { stdout } = await sluice('health -o json');
  t.match(JSON.parse(stdout), { ok: true, problems: [], pods: [{ pod: 'shop/web-0', ...probed, ok: true }] });
});

t.test(
  'a pod that does not answer, one that is not ready, a process that is away and a problem each end with 1',
  async (t) => {
    Object.assign(web.health, { 'fd00::2': { ...probed, isReachable: false } });
    t.match(await sluice('health'), { code: 1, stdout: /^Health: degraded\n[^]*fd00::2 +no answer\n$/ });
    for (const address of Object.keys(web.health)) delete web.health[address];
    t.match(await sluice('health'), { code: 0, stdout: /ready +not probed yet\n/ });
    web.state = 'waiting';
    t.match(await sluice('health'), { code: 1, stdout: /waiting +not probed yet\n/ });
    web.state = 'ready';
    STATUS.dataplane.state = 'waiting';
    STATUS.dataplane.restarts = 3;
    t.match(await sluice('health'), { code: 1, stdout: /dataplane +waiting, restarts 3\n/ });
    Object.assign(STATUS.dataplane, { state: 'running', restarts: 0 });
    STATUS.dns.server.state = 'off';
    t.notMatch((await sluice('health')).stdout, 'name server', 'another serves');
    STATUS.problems.push('a \x1b[31m problem');
    t.match(await sluice('health'), { code: 1, stdout: /PROBLEMS\na \\x1b\[31m problem\n$/ });
    STATUS.problems.length = 0;
  },
);

t.test(
  'status --format cilium has the lines that scripts look for, and says Failure where something is wrong',
  async (t) => {
    const controllers = ['endpoints', 'policies'].map((name) => ({ name, lastError: '' }));
    Object.assign(STATUS, { controllers });
    const well = await sluice('status --format cilium');
    t.equal(well.code, 0);
    t.strictSame(well.stdout.trimEnd().split('\n'), [
      'KubeProxyReplacement:    True',
      'Cilium:                  Ok   Sluice 0.1.0',
      'NodeMonitor:             Listening for events, 9 seen, 0 lost',
      'IPAM:                    2 addresses of pods',
      'Services:                1, 2 frontends, 3 backends',
      'Controller Status:       2/2 healthy',
      'Proxy Status:            OK, in the dataplane, pid 8, running',
      'Global Identity Range:   12 identities',
      'Hubble:                  Ok   Current/Max Flows: 9/4095 (0.22%), Flows/s: 21.53',
      'Encryption:              Disabled',
      'Cluster health:          1/2 reachable',
    ]);
    controllers[1].lastError = 'no room';
    Object.assign(STATUS.dataplane, { state: 'waiting' });
    STATUS.problems.push('a \x1b[31m problem');
    const ill = await sluice('status --format cilium');
    t.equal(ill.code, 1);
    t.match(ill.stdout, /^Cilium: +Failure   dataplane is waiting; a \\x1b\[31m problem$/m);
    t.match(ill.stdout, /^Controller Status: +1\/2 healthy$/m);
    t.match(ill.stdout, /^Proxy Status: +Failure, in the dataplane, pid 8, waiting$/m);
    Object.assign(STATUS.dataplane, { state: 'running' });
    STATUS.problems.length = 0;
    t.match(await sluice('status --format grafana'), { code: 2, stderr: /cilium/ });
  },
);

t.test('flows that are switched off are no fault', async (t) => {
  const { capacity } = STATUS.flows;
  Object.assign(STATUS.flows, { capacity: 0 });
  t.notMatch(await sluice('health'), { stdout: /observatory/ });
  t.match(await sluice('health'), { code: 0 });
  t.match(await sluice('status'), { code: 0, stdout: /^Hubble: +Disabled$/m });
  t.match(await sluice('status --format cilium'), { code: 0, stdout: /^Hubble: +Disabled$/m });
  Object.assign(STATUS.flows, { capacity });
});

t.test('a thread for flows that does not answer is told, and so is an agent that is away', async (t) => {
  rmSync(hubbleSocket(runDir));
  t.match(await sluice('health'), { code: 1, stdout: /observatory +.*hubble\.sock.*ENOENT/ });
  t.match(await sluice('observe'), { code: 3, stderr: /hubble\.sock.*ENOENT/ });
  const { capacity } = STATUS.flows;
  Object.assign(STATUS.flows, { capacity: 0 });
  t.match(await sluice('observe'), { code: 1, stderr: /flows: found none, wanted hubble\.enabled: true/ });
  Object.assign(STATUS.flows, { capacity });
  t.equal((await sluice('health --run-dir /nonexistent')).code, 3);
});
