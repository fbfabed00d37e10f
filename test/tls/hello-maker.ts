/** ClientHellos, right and wrong, one character a byte. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../linux/package-root.ts';
import { draws } from '../stream/tcp-rig.ts';

const recorded: Record<string, string> = JSON.parse(readFileSync(join(PACKAGE_ROOT, 'test/tls/hellos.json'), 'utf8'));
/** Of real clients, by client (record-hellos.ts). */
export const HELLOS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(recorded).map(([client, hex]) => [client, Buffer.from(hex, 'hex').toString('latin1')]),
);

const u8 = (value: number) => String.fromCharCode(value & 255);
const u16 = (value: number) => u8(value >> 8) + u8(value);
const sized = (text: string) => u16(text.length) + text;

export function extension(type: number, content: string): string {
  return u16(type) + sized(content);
}

export function sni(...names: string[]): string {
  return extension(0, sized(names.map((name) => `\0${sized(name)}`).join('')));
}

/** The handshake message. @param behind bytes behind the extensions */
export function hello(extensions: readonly string[], behind = ''): string {
  const body = `\x03\x03${'R'.repeat(32)}\0${sized('\x0a\x0a\x13\x01')}\x01\0${sized(extensions.join(''))}${behind}`;
  return `\x01\0${sized(body)}`;
}

/** The message in records of `size` bytes. */
export function records(message: string, size = 16384): string {
  let out = '';
  for (let at = 0; at < message.length; at += size) out += `\x16\x03\x01${sized(message.slice(at, at + size))}`;
  return out;
}

/** One of the seeds with some bytes changed, taken out, put in or repeated; and a place to cut it. */
export function mutate(seeds: readonly string[], seed: number): { readonly bytes: string; readonly cut: number } {
  const draw = draws(seed);
  let bytes = seeds[draw(seeds.length)];
  for (let left = 1 + draw(3); left > 0; left--) {
    const at = draw(bytes.length + 1);
    // Lengths and types stand at the front and in the extensions: small changes there tell most.
    const place = draw(3) === 0 ? draw(Math.min(60, bytes.length)) : at;
    const count = draw(6);
    const change = draw(4);
    const middle =
      change === 0
        ? u8(draw(256))
        : change === 1
          ? ''
          : change === 2
            ? bytes.slice(place, place + count)
            : u16(draw(65536));
    const taken = change === 2 ? 0 : change === 1 ? count : middle.length;
    bytes = bytes.slice(0, place) + middle + bytes.slice(place + taken);
  }
  return { bytes, cut: draw(bytes.length + 1) };
}

export const SEEDS: readonly string[] = [...Object.values(HELLOS), records(hello([sni('a.example')]), 9)];
