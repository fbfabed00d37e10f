/**
 * Open vSwitch with its user-space datapath (datapath_type=netdev) and stateful flows that say what kernel-bridge.ts says.
 * The database, the sockets and both daemons are private to the bench: a directory under /run, ended by their pids.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type Cleanup, inNetns, must, run } from '../test/command.ts';
import {
  CLIENT,
  IPERF_PORT,
  makeNamespaces,
  MIDDLE,
  plugIn,
  type Raised,
  SERVER,
  SOCKETS_PORT,
  type Subject,
  WEB_PORT,
} from './subject.ts';

const ADDRESS = '10.99.0.3';
const CLIENT_ADDRESS = '10.99.0.2';
const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';

const FLOWS = `
table=0,priority=200,arp,actions=NORMAL
table=0,priority=100,ip,ct_state=-trk,actions=ct(table=1)
table=1,priority=100,ip,ct_state=+trk+est,actions=NORMAL
table=1,priority=100,ip,ct_state=+trk+rel,actions=NORMAL
table=1,priority=90,tcp,ct_state=+trk+new,nw_src=${CLIENT_ADDRESS},nw_dst=${ADDRESS},tp_dst=${IPERF_PORT},actions=ct(commit),NORMAL
table=1,priority=90,tcp,ct_state=+trk+new,nw_src=${CLIENT_ADDRESS},nw_dst=${ADDRESS},tp_dst=${WEB_PORT},actions=ct(commit),NORMAL
table=1,priority=90,udp,ct_state=+trk+new,nw_src=${CLIENT_ADDRESS},nw_dst=${ADDRESS},tp_dst=${IPERF_PORT},actions=ct(commit),NORMAL
table=1,priority=90,tcp,ct_state=+trk+new,nw_src=${CLIENT_ADDRESS},nw_dst=${ADDRESS},tp_dst=${SOCKETS_PORT},actions=ct(commit),NORMAL
table=1,priority=90,udp,ct_state=+trk+new,nw_src=${CLIENT_ADDRESS},nw_dst=${ADDRESS},tp_dst=${SOCKETS_PORT},actions=ct(commit),NORMAL
table=1,priority=90,icmp,ct_state=+trk+new,nw_src=${CLIENT_ADDRESS},nw_dst=${ADDRESS},icmp_type=8,actions=ct(commit),NORMAL
table=1,priority=0,actions=drop
`;

async function startDaemon(name: string, dir: string, env: Record<string, string>, args: string[], cleanup: Cleanup) {
  const pidFile = `${dir}/${name}.pid`;
  await must(
    inNetns(MIDDLE, [name, ...args, `--pidfile=${pidFile}`, `--log-file=${dir}/${name}.log`, '--detach', '--no-chdir']),
    {
      env,
    },
  );
  const pid = Number(readFileSync(pidFile, 'utf8'));
  cleanup.add(() => process.kill(pid));
  return pid;
}

async function up(_rules: unknown, cleanup: Cleanup): Promise<Raised> {
  await makeNamespaces(cleanup, MIDDLE);
  const dir = mkdtempSync('/run/slb-ovs-');
  cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
  const env = { OVS_RUNDIR: dir, OVS_DBDIR: dir, OVS_LOGDIR: dir };
  const socket = `${dir}/db.sock`;
  const database = `${dir}/conf.db`;
  await must(['ovsdb-tool', 'create', database, SCHEMA], { env });
  await startDaemon('ovsdb-server', dir, env, [database, `--remote=punix:${socket}`], cleanup);
  await must(['ovs-vsctl', `--db=unix:${socket}`, '--no-wait', 'init'], { env });
  const pid = await startDaemon('ovs-vswitchd', dir, env, [`unix:${socket}`], cleanup);

  const vsctl = (...args: string[]) => must(['ovs-vsctl', `--db=unix:${socket}`, '--timeout=10', ...args], { env });
  await vsctl('add-br', 'bridge', '--', 'set', 'bridge', 'bridge', 'datapath_type=netdev', 'fail_mode=secure');
  await plugIn(CLIENT, 'client', `${CLIENT_ADDRESS}/24`);
  await plugIn(SERVER, 'server', `${ADDRESS}/24`);
  // Its AF_PACKET ports know no virtio-net header: unfinished checksums and big segments must not reach them.
  for (const netns of [CLIENT, SERVER]) {
    await run(inNetns(netns, ['ethtool', '-K', 'eth0', 'tx', 'off']));
  }
  for (const port of ['client', 'server']) await vsctl('add-port', 'bridge', port);
  await must(['ovs-ofctl', '--bundle', 'add-flows', `${dir}/bridge.mgmt`, '-'], { env, input: FLOWS });
  return { address: ADDRESS, pids: () => [pid] };
}

export const openVswitch: Subject = { name: 'ovs userspace', ruleSets: ['l4'], up };
