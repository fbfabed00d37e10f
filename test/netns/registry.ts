/**
 * A registry of images on loopback, as far as podman asks it for them: `registry.js PORT FOLDER`. An image is a folder that `podman push dir:`
 * wrote, called as its path; those below `private/` want the name and the password `somebody:secret`.
 */
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const LOGIN = `Basic ${Buffer.from('somebody:secret').toString('base64')}`;
const CHALLENGE = { 'www-authenticate': 'Basic realm="test"' };
const [port, folder] = process.argv.slice(2);

createServer((request, response) => {
  const answer = (status: number, headers: Record<string, string> = {}, body = ''): void => {
    response.writeHead(status, headers).end(body);
  };
  const { url = '', headers } = request;
  // What it is told here decides whether podman will ever say a password.
  if (url === '/v2/') return answer(401, CHALLENGE, '{}');
  const [, name, kind, reference] = /^\/v2\/([a-z/]+)\/(manifests|blobs)\/(?:sha256:)?([\w.]+)$/.exec(url) ?? [];
  if (name?.startsWith('private/') && headers.authorization !== LOGIN)
    return answer(401, CHALLENGE, '{"errors":[{"code":"UNAUTHORIZED"}]}');
  const path = join(folder, name ?? '', kind === 'manifests' ? 'manifest.json' : (reference ?? ''));
  if (kind === undefined || !existsSync(path))
    return answer(404, {}, '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no such image here"}]}');
  const type =
    kind === 'blobs'
      ? 'application/octet-stream'
      : (JSON.parse(readFileSync(path, 'utf8')) as { mediaType?: string }).mediaType;
  response.writeHead(200, { 'content-type': type ?? 'application/vnd.oci.image.manifest.v1+json' });
  createReadStream(path).pipe(response);
}).listen(Number(port), '127.0.0.1');
