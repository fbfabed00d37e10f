/**
 * All the ways in which a server may plausibly read the path of a request.
 *
 * A rule allows `/public/.*`; the client asks for `/public/..%2fadmin`. Whether that is below /public depends on what the
 * server does with it, and nobody here knows the server. So the path is rewritten by each of the steps below, in every
 * order, until nothing new appears, and a request is allowed only if each of the results is.
 *
 *   decode         %41 -> A (one round; the closure gives double decoding)
 *   wide           %u002f, %uff0f (IIS)
 *   overlong       %c0%af, %e0%80%af: bytes that careless UTF-8 decoders take for `/`, encoded or not
 *   parameters     /a;v=1/b -> /a/b (servlets)
 *   slashes        //a -> /a
 *   dots           /a/./b -> /a/b, /a/../b -> /b; above the root stays at the root
 *   backslash      \ -> /
 *   cut            what follows a NUL is not there (C strings)
 *
 * The query string is not touched, but a decoded %3f starts one. A path with none of the characters that these steps look
 * for has one reading, itself; that is found out without an allocation. Too many readings (MAX_READINGS) mean that
 * somebody is playing games: the request is denied.
 */

const MAX_READINGS = 64;
/** Longer paths than this with characters to interpret have no readings: denied. */
const MAX_INTERPRETED_BYTES = 4096;

const PERCENT = 37;
const SEMICOLON = 59;
const BACKSLASH = 92;
const SLASH = 47;
const DOT = 46;
const QUESTION = 63;
const NOT_ASCII = 0x80;

/** Whether bytes[from, to) has but one reading. */
export function isPlain(bytes: Uint8Array, from: number, to: number): boolean {
  let previous = 0;
  for (let p = from; p < to; p++) {
    const byte = bytes[p];
    if (byte === QUESTION) return true;
    if (byte === PERCENT || byte === SEMICOLON || byte === BACKSLASH || byte >= NOT_ASCII) return false;
    if ((byte === SLASH || byte === DOT) && previous === SLASH) return false;
    previous = byte;
  }
  return true;
}

/**
 * The readings of `target` (path and query, one character a byte), itself first.
 * @returns undefined when there are more than MAX_READINGS
 */
export function pathReadings(target: string): string[] | undefined {
  const question = target.indexOf('?');
  const path = question < 0 ? target : target.slice(0, question);
  const query = question < 0 ? '' : target.slice(question);
  if (path.length > MAX_INTERPRETED_BYTES) return undefined;
  const found = new Set<string>([path]);
  for (const reading of found) {
    for (const step of STEPS) found.add(step(reading));
    if (found.size > MAX_READINGS) return undefined;
  }
  return Array.from(found, (reading) => asText(reading) + query);
}

const STEPS: readonly ((path: string) => string)[] = [
  decode,
  decodeWide,
  overlong,
  (path) => path.replace(/;[^/]*/g, ''),
  (path) => path.replace(/\/\/+/g, '/'),
  removeDots,
  (path) => path.replaceAll('\\', '/'),
  (path) => (path.includes('\0') ? path.slice(0, path.indexOf('\0')) : path),
];

function decode(path: string): string {
  return path.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function decodeWide(path: string): string {
  return path.replace(/%u(?:00([0-7][0-9a-f])|ff([0-5][0-9a-f]))/gi, (_, ascii?: string, fullWidth?: string) =>
    String.fromCharCode(
      ascii !== undefined ? Number.parseInt(ascii, 16) : (Number.parseInt(fullWidth as string, 16) + 32) & 0x7f,
    ),
  );
}

/** Of the last two bytes of an overlong form: all before them are zeros. */
function overlong(path: string): string {
  return path.replace(/(?:[\xc0\xc1]|\xe0[\x80\x81]|\xf0\x80[\x80\x81])[\x80-\xbf]/g, (form) => {
    const high = form.charCodeAt(form.length - 2) & 1;
    return String.fromCharCode((high << 6) | (form.charCodeAt(form.length - 1) & 63));
  });
}

/** RFC 3986 5.2.4, which keeps empty segments: `//` is another step. */
function removeDots(path: string): string {
  if (!/\/\.\.?(\/|$)/.test(path)) return path;
  const output: string[] = [];
  const segments = path.split('/');
  segments.forEach((segment, index) => {
    const isLast = index === segments.length - 1;
    if (segment === '..') {
      if (output.length > 1) output.pop();
      if (isLast) output.push('');
    } else if (segment === '.') {
      if (isLast) output.push('');
    } else output.push(segment);
  });
  return output.join('/');
}

/** Bytes as text: UTF-8 when they are, else a character a byte. */
export function asText(latin1: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
  if (/^[\x00-\x7f]*$/.test(latin1)) return latin1;
  const text = Buffer.from(latin1, 'latin1').toString('utf8');
  return text.includes('\ufffd') ? latin1 : text;
}
