/** Faults around the dataplane: what interfaces lose, what opens when something is full or gone, what is never given back. */
import type { Mutant } from './mutant.ts';

const FIREWALL = ['daemon/attach/firewall.test.ts'];
const PORTS = ['daemon/forward/ports.test.ts'];

export const DAEMON: readonly Mutant[] = [
  {
    name: 'refused-large-frames-are-lost',
    fault: 'an interface that cannot cut frames up loses all joined datagrams and all large segments',
    file: 'dataplane/native/send.c',
    was: 'if (error == ENOBUFS && !out->is_tap && is_large(&messages[at]) && change_way(out->fd)) continue;',
    is: 'if (error == ENOBUFS && out->count < 0 && is_large(&messages[at]) && change_way(out->fd)) continue;',
    killedBy: ['dataplane/native/devices.test.ts'],
  },
  {
    name: 'policies-stay-mapped',
    fault: 'each pod that went leaves a mapping and its pages in the dataplane',
    file: 'daemon/forward/ports.ts',
    was: 'policies[index]?.close(unmapFile);',
    is: 'policies[index]?.close();',
    killedBy: PORTS,
  },
  {
    name: 'mappings-wait-for-the-event-loop',
    fault: 'unmapFile() leaves it to the collector, which does nothing in the forwarding thread',
    file: 'dataplane/native/map-file.c',
    was: 'if (mapping->address != address) continue;',
    is: 'if (mapping->address != NULL) continue;',
    killedBy: PORTS,
  },
  {
    name: 'mtu-of-the-uplink-is-read-once',
    fault: 'an uplink that takes less than before swallows packets, and nobody is told',
    file: 'daemon/forward/ports.ts',
    was: 'table.mtu[index] = mtu;',
    is: 'table.mtu[index] ||= mtu;',
    killedBy: PORTS,
  },
  {
    name: 'the-host-is-the-way-out',
    fault: 'without an uplink what pods send outside goes into the host, which routes it where it may',
    file: 'daemon/forward/ports.ts',
    was: 'const instead = this.#isOutsideByHost ? table.hostPort : -1;',
    is: 'const instead = table.hostPort;',
    killedBy: PORTS,
  },
  {
    name: 'a-lost-prefix-opens',
    fault: 'a denied prefix that found no room in the ipcache is let in as world',
    file: 'daemon/publish/publisher.ts',
    was: 'this.#publishIpcache(changes.ipcache);\n    this.#guardPrefixes();',
    is: 'this.#publishIpcache(changes.ipcache);',
    killedBy: ['daemon/publish/publication.test.ts'],
  },
  {
    name: 'a-flushed-rule-set-stays-flushed',
    fault: "nobody puts back the nft table that keeps the host's stack off the pods' frames",
    file: 'daemon/attach/firewall.ts',
    was: 'if (lost.length === 0) return [];',
    is: 'if (lost.length >= 0) return [];',
    killedBy: FIREWALL,
  },
  {
    name: 'a-dormant-table-is-a-table',
    fault: 'a table that somebody has put to sleep counts as one that drops',
    file: 'daemon/attach/firewall.ts',
    was: 'if (/^\\s*flags .*dormant/m.test(table)) return new Set();',
    is: '',
    killedBy: FIREWALL,
  },
  {
    name: 'the-rule-set-is-the-only-barrier',
    fault: "while the rule set is gone the host's stack takes what pods send",
    file: 'linux/attachment.ts',
    was: "[`ipv4/conf/${device}/rp_filter`, '1'],",
    is: "[`ipv4/conf/${device}/rp_filter`, '0'],",
    killedBy: ['linux/attachment.test.ts'],
  },
  {
    name: 'the-host-takes-ipv6-of-pods',
    fault: "while the rule set is gone the host's stack takes the IPv6 that pods send",
    file: 'linux/attachment.ts',
    was: "[`ipv6/conf/${device}/disable_ipv6`, '1'],",
    is: "[`ipv6/conf/${device}/disable_ipv6`, '0'],",
    killedBy: ['linux/attachment.test.ts'],
  },
  {
    name: 'lo-has-no-addresses',
    fault: 'a denial of the host does not hold for addresses on lo',
    file: 'linux/addresses.ts',
    was: "const own = routes.filter(({ type }) => type === 'local' ||",
    is: "const own = routes.filter(({ type }) => type === 'no' ||",
    killedBy: ['linux/addresses.test.ts'],
  },
  {
    name: 'the-host-has-interfaces-only',
    fault: 'a denial of the host does not hold for broadcast addresses and for routes that make a prefix its own',
    file: 'linux/addresses.ts',
    was: 'const all = [...given, ...interfaceAddresses(), ...own.map(({ dst }) => dst)];',
    is: 'const all = [...given, ...interfaceAddresses(), ...own.flatMap(() => [])];',
    killedBy: ['linux/addresses.test.ts'],
  },
];
