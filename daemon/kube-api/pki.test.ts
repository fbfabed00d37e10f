import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { openPki } from './pki.ts';

const DAY_MS = 86_400_000;

t.test('openPki() makes certificates once, for this machine alone, and anew before they end', async (t) => {
  const parent = mkdtempSync(join(tmpdir(), 'sluice-pki-'));
  t.teardown(() => rmSync(parent, { recursive: true }));
  const folder = join(parent, 'pki');
  // The clock itself: certificates begin with the second in which they are made.
  const made = await openPki(folder, Date.now());
  const server = new X509Certificate(made.serverCert);
  const authority = new X509Certificate(made.ca);
  t.ok(authority.ca, 'an authority');
  t.notOk(server.ca, 'and a leaf');
  for (const name of ['localhost', 'kubernetes.default.svc']) t.equal(server.checkHost(name), name);
  for (const address of ['127.0.0.1', '::1']) t.equal(server.checkIP(address), address);
  t.equal(server.checkIP('10.0.0.1'), undefined);
  t.match(new X509Certificate(made.clientCert).subject, 'O=system:masters');
  t.ok(new X509Certificate(made.clientCert).verify(authority.publicKey));
  t.same(readdirSync(parent), ['pki'], 'nothing is left beside it');
  for (const file of readdirSync(folder)) t.equal(statSync(join(folder, file)).mode & 0o777, 0o600, file);

  t.same(await openPki(folder, Date.now()), made, 'kept');
  const later = await openPki(folder, Date.now() + 3600 * DAY_MS);
  t.not(later.ca, made.ca, 'fifty days before its end');
  writeFileSync(join(folder, 'server.crt'), made.serverCert);
  t.not((await openPki(folder, Date.now())).ca, later.ca, 'a certificate of another authority');
  rmSync(join(folder, 'client.key'));
  t.ok((await openPki(folder, Date.now())).clientKey, 'a set that is not whole');
});
