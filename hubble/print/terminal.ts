/** Text for terminals: what came from the network is made harmless, colours are functions that the caller brings. */

/** Paints a text; the plain one hands it back. */
export type Paint = (text: string) => string;

/** What is painted in a flow. */
export interface Colors {
  readonly host: Paint;
  readonly port: Paint;
  readonly identity: Paint;
  readonly forwarded: Paint;
  readonly dropped: Paint;
  /** Audited, traced and translated. */
  readonly audit: Paint;
  readonly authEnabled: Paint;
  readonly authFails: Paint;
}

const plain: Paint = (text) => text;

/** No colours. */
export const PLAIN: Colors = {
  host: plain,
  port: plain,
  identity: plain,
  forwarded: plain,
  dropped: plain,
  audit: plain,
  authEnabled: plain,
  authFails: plain,
};

/** The functions of `picocolors` that are used, under its names. */
export interface Palette {
  readonly red: Paint;
  readonly green: Paint;
  readonly cyan: Paint;
  readonly magenta: Paint;
  readonly yellow: Paint;
}

/** Hubble's colours out of a palette. */
export function colorsOf({ red, green, cyan, magenta, yellow }: Palette): Colors {
  return {
    host: cyan,
    port: yellow,
    identity: magenta,
    forwarded: green,
    dropped: red,
    audit: yellow,
    authEnabled: green,
    authFails: red,
  };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the same as \p{Cc}
const CONTROLS = /[\u0000-\u001f\u007f-\u009f]/;

/**
 * Makes foreign text safe to print on one line: an escape character becomes `^[`, as in hubble, line ends and tabs their
 * backslash forms, other control characters `\xNN`. Without this a URL could move the cursor or forge a line.
 */
export function escapeControls(text: string): string {
  // Nearly always there is none, which this says ten times faster than a replacement that finds nothing.
  if (!CONTROLS.test(text)) return text;
  return text.replace(/\p{Cc}/gu, (character) => {
    if (character === '\u001b') return '^[';
    const short = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }[character];
    return short ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

/** `host:port`, with brackets when the host has colons of its own. */
export function joinHostPort(host: string, port: string): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
