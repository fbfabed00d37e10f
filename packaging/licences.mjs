// debian/copyright: Sluice's licence, and that of everything that is within its files: npm packages (whatever scripts/bundle.mjs
// and the page take in), and node with what is in it.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from './tree.mjs';

/** Packages that the page takes in; package.json has them among those for development. */
const OF_THE_PAGE = ['preact', '@preact/signals', '@preact/signals-core'];

/** Debian has the text. */
const APACHE = 'The Apache License, version 2.0: /usr/share/common-licenses/Apache-2.0.';

/** @param hasNode whether the package brings node @returns the file in Debian's machine-readable form */
export function copyrightText(hasNode) {
  const packages = bundledPackages();
  const stanzas = [
    'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: sluice\nComment: JavaScript packages are within the programs of dist/bin and dist/page.\n',
    `Files: *\nCopyright: the authors of Sluice\nLicense: Apache-2.0\n ${APACHE}\n`,
    ...packages.map(
      ({ name, version, licence, text, holder }) =>
        `Files: node_modules/${name}\nCopyright: ${holder}\nLicense: ${licence}-${name.replace(/[^\w.-]/g, '-')}\n ${name} ${version}\n .\n${indented(text)}`,
    ),
    ...(hasNode
      ? [
          `Files: bin/node\nCopyright: Node.js contributors, and those that the text names\nLicense: node\n${indented(nodeLicence())}`,
        ]
      : []),
  ];
  return stanzas.join('\n');
}

/** Every package that a program may have taken in, by package-lock.json. */
function bundledPackages() {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
  return Object.entries(packages)
    .filter(
      ([path, entry]) =>
        path !== '' &&
        (entry.dev !== true || OF_THE_PAGE.includes(path.replace('node_modules/', ''))) &&
        existsSync(join(ROOT, path)),
    )
    .map(([path, { version, license }]) => {
      const text = licenceOf(path);
      const { author } = JSON.parse(readFileSync(join(ROOT, path, 'package.json'), 'utf8'));
      const writer = typeof author === 'string' ? author : (author?.name ?? 'its contributors');
      const holder = /^.*\bcopyright\b.*\d{4}.*$/im.exec(text)?.[0].trim() ?? writer;
      return { name: path.replace(/^.*node_modules\//, ''), version, licence: license ?? 'as-stated', text, holder };
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function licenceOf(path) {
  const name = readdirSync(join(ROOT, path)).find((file) => /^(licen[cs]e|copying)/i.test(file));
  const text = name === undefined ? '' : readFileSync(join(ROOT, path, name), 'utf8');
  if (/Apache License\s+Version 2\.0/.test(text)) return APACHE;
  if (text !== '') return text;
  const { license } = JSON.parse(readFileSync(join(ROOT, path, 'package.json'), 'utf8'));
  return `Its package says: ${license ?? 'nothing'}.`;
}

/** Node's own, wherever this node came from. */
function nodeLicence() {
  const prefix = dirname(dirname(process.execPath));
  const places = ['LICENSE', 'share/doc/node/LICENSE', 'share/doc/nodejs/LICENSE', 'share/doc/nodejs/copyright'];
  const found = places.map((place) => join(prefix, place)).find(existsSync);
  if (found === undefined)
    throw new Error(`package: found no licence of node below ${prefix}, wanted one of ${places.join(', ')}`);
  return readFileSync(found, 'utf8');
}

const indented = (text) =>
  text
    .trim()
    .split('\n')
    .map((line) => (line.trim() === '' ? ' .' : ` ${line.trimEnd()}`))
    .join('\n')
    .concat('\n');
