/** The zone file: what is written is read again, and what is not of its form is refused with its place. */
import t from 'tap';
import { formatZoneFile, MAX_ZONE_FILE_BYTES, parseZoneFile, ZONE_FILE_VERSION, type ZoneFile } from './zone-file.ts';

const ZONE: ZoneFile = {
  serial: 7,
  domain: 'cluster.local',
  ttlSec: 5,
  upstreams: 'host',
  ranges: ['10.96.0.0/16', 'fd00:10:96::/112'],
  services: [
    {
      namespace: 'default',
      name: 'web',
      kind: 'ClusterIP',
      addresses: ['10.96.0.7', 'fd00:10:96::7'],
      ports: [{ name: 'http', protocol: 'TCP', port: 80 }],
    },
    {
      namespace: 'default',
      name: 'db',
      kind: 'headless',
      endpoints: [
        { address: '10.0.0.7', hostname: 'db-0', ports: [{ name: 'sql', protocol: 'TCP', port: 5432 }] },
        { address: '10.0.0.8', ports: [] },
      ],
    },
    { namespace: 'shop', name: 'search', kind: 'ExternalName', externalName: 'search.example.com' },
  ],
  pods: [{ namespace: 'default', address: '10.0.0.7' }],
};
const TEXT = formatZoneFile(ZONE);

t.test('what was written is read', async (t) => {
  t.strictSame(parseZoneFile(TEXT), ZONE);
  const upstreams = [{ address: '192.0.2.53', port: 53 }];
  t.strictSame(parseZoneFile(formatZoneFile({ ...ZONE, upstreams })).upstreams, upstreams);
  t.strictSame(parseZoneFile(formatZoneFile({ ...ZONE, services: [], pods: [] })).services, []);
});

t.test('a file of another form is refused, with line, member, found and wanted', async (t) => {
  const cases: readonly [string, string, RegExp][] = [
    ['nothing', '', /line 1: found the end/],
    ['no JSON', 'zone\n', /line 1: Unexpected token/],
    ['another format', TEXT.replace('sluice-dns-zone', 'zone'), /line 1: format: found "zone", wanted sluice-dns-zone/],
    ['another version', TEXT.replace(`"version":${ZONE_FILE_VERSION}`, '"version":0'), /version: found 0, wanted 1/],
    ['a member more', TEXT.replace('"serial":7', '"serial":7,"another":1'), /line 1: another: found 1, wanted no such/],
    ['a member less', TEXT.replace('"serial":7,', ''), /line 1: serial: found nothing, wanted 1 to 4294967295/],
    ['a serial of 0', TEXT.replace('"serial":7', '"serial":0'), /serial: found 0/],
    ['a domain in capitals', TEXT.replace('cluster.local', 'Cluster.local'), /domain: found "Cluster.local"/],
    ['an empty label', TEXT.replace('cluster.local', 'cluster..local'), /domain: found/],
    ['a TTL of a day', TEXT.replace('"ttlSec":5', '"ttlSec":86400'), /ttlSec: found 86400, wanted 0 to 3600/],
    ['a range with host bits', TEXT.replace('10.96.0.0/16', '10.96.0.1/16'), /ranges\[0\]: found "10.96.0.1\/16"/],
    ['upstreams of a number', TEXT.replace('"host"', '5'), /upstreams: found 5, wanted a list/],
    ['upstreams of a word', TEXT.replace('"host"', '"none"'), /upstreams: found "none", wanted host/],
    ['a number for an address', TEXT.replace('"10.96.0.7"', '7'), /line 2: addresses\[0\]: found 7, wanted an address/],
    ['a name that is none', TEXT.replace('"web"', '"we_b"'), /line 2: name: found "we_b", wanted a label/],
    ['a port of 0', TEXT.replace('"port":80', '"port":0'), /line 2: ports\[0\]: port: found 0, wanted 1 to 65535/],
    ['an unknown protocol', TEXT.replace('"TCP","port":80', '"tcp","port":80'), /protocol: found "tcp", wanted TCP or/],
    ['an unknown kind', TEXT.replace('"headless"', '"NodePort"'), /line 3: kind: found "NodePort"/],
    ['a host name of null', TEXT.replace('"db-0"', 'null'), /line 3: endpoints\[0\]: hostname: found null/],
    ['a list for a service', TEXT.replace(/\{"namespace":"shop".*\n/, '[]\n'), /line 4: found \[\], wanted an object/],
    ['a service twice', TEXT.replace('"db"', '"web"'), /service default\/web twice/],
    ['cut within a line', TEXT.slice(0, -3), /line 5: found the end, wanted a whole line/],
    ['cut behind a line', TEXT.slice(0, TEXT.trimEnd().lastIndexOf('\n') + 1), /line 5: found the end/],
    ['a line more', `${TEXT}{}\n`, /line 6: found more lines than the head tells of/],
    ['too many services', TEXT.replace('"services":3', '"services":65537'), /services: found 65537/],
    ['a name before the head', TEXT.replace('{"format"', '{"__proto__":{"serial":1},"format"'), /__proto__: found/],
  ];
  for (const [name, text, message] of cases)
    t.throws(() => parseZoneFile(text), { name: 'SyntaxError', message }, name);
  t.throws(() => parseZoneFile(' '.repeat(MAX_ZONE_FILE_BYTES + 1)), /characters, wanted at most/);
});

t.test('a list that is too long is refused before its members are read', async (t) => {
  const addresses = new Array<string>(65).fill('10.96.0.7');
  const services = [{ namespace: 'a', name: 'b', kind: 'ClusterIP', addresses, ports: [] } as const];
  t.throws(() => parseZoneFile(formatZoneFile({ ...ZONE, services })), /addresses: found 65, wanted at most 64/);
});
