/** Times as Hubble writes and reads them. Everything is UTC, as in a stock hubble. */

/** Names of the formats of `--time-format`. */
export const TIME_FORMATS = [
  'StampMilli',
  'YearMonthDay',
  'YearMonthDayHour',
  'YearMonthDayHourMinute',
  'RFC3339',
  'RFC3339Milli',
  'RFC3339Micro',
  'RFC3339Nano',
  'RFC1123Z',
] as const;

export type TimeFormat = (typeof TIME_FORMATS)[number];

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

/**
 * RFC 3339 with 0, 3, 6 or 9 digits of a second, as protojson has it.
 * @param ms milliseconds since the epoch; of the fraction microseconds count, a double holds no more
 * @returns text, '' for what is no time (NaN, infinite, outside years 1 to 9999)
 */
export function rfc3339(ms: number): string {
  // All records of a batch of frames have one time.
  if (ms === lastMs) return lastTime;
  const text = timeText(ms);
  lastMs = ms;
  lastTime = text;
  return text;
}

let lastMs = Number.NaN;
let lastTime = '';

function timeText(ms: number): string {
  if (!(ms >= -62_135_596_800_000 && ms < 253_402_300_800_000)) return '';
  const wholeMs = Math.floor(ms);
  const fraction = Math.round((ms - wholeMs) * 1000);
  const atMs = wholeMs + (fraction === 1000 ? 1 : 0);
  const micros = fraction % 1000;
  const second = Math.floor(atMs / 1000);
  const millis = atMs - second * 1000;
  // Flows come many a second, in order of time: the text of a second is made once.
  if (second !== lastSecond) {
    lastSecondText = new Date(second * 1000).toISOString().slice(0, -5);
    lastSecond = second;
  }
  if (micros !== 0) return `${lastSecondText}.${three(millis)}${three(micros)}Z`;
  return millis === 0 ? `${lastSecondText}Z` : `${lastSecondText}.${three(millis)}Z`;
}

let lastSecond = Number.NaN;
let lastSecondText = '';

function three(number: number): string {
  return number < 10 ? `00${number}` : number < 100 ? `0${number}` : String(number);
}

const two = (number: number) => String(number).padStart(2, '0');

/** Text of an RFC 3339 time in another format; "N/A" for what is no time. */
export function formatTime(time: string | undefined, format: TimeFormat): string {
  if (format !== 'StampMilli' || time === undefined || time.length !== MICROS_LENGTH) return formatted(time, format);
  // Flows come many a second, in order of time: what is printed of a second is made once.
  const [second, millis] = [time.slice(0, 19), time.slice(19, 23)];
  if (!/^\.\d{6}Z$/.test(time.slice(19))) return formatted(time, format);
  if (second !== stampedSecond) {
    stamp = formatted(`${second}Z`, format).slice(0, -4);
    stampedSecond = second;
  }
  return stamp === '' ? formatted(time, format) : stamp + millis;
}

/** Of a time with microseconds, as flows mostly have it. */
const MICROS_LENGTH = 27;
let stampedSecond = '';
let stamp = '';

function formatted(time: string | undefined, format: TimeFormat): string {
  const parsed = time === undefined ? Number.NaN : Date.parse(time);
  if (Number.isNaN(parsed)) return 'N/A';
  const at = new Date(parsed);
  const iso = at.toISOString();
  const clock = iso.slice(11, 19);
  switch (format) {
    case 'YearMonthDay':
      return iso.slice(0, 10);
    case 'YearMonthDayHour':
      return `${iso.slice(0, 13)}Z`;
    case 'YearMonthDayHourMinute':
      return `${iso.slice(0, 16)}Z`;
    case 'RFC3339':
      return `${iso.slice(0, 19)}Z`;
    case 'RFC3339Milli':
      return withFraction(iso, time!, 3);
    case 'RFC3339Micro':
      return withFraction(iso, time!, 6);
    case 'RFC3339Nano':
      return withFraction(iso, time!, 9);
    case 'RFC1123Z':
      return `${DAYS[at.getUTCDay()]}, ${two(at.getUTCDate())} ${MONTHS[at.getUTCMonth()]} ${iso.slice(0, 4)} ${clock} +0000`;
    case 'StampMilli':
      return `${MONTHS[at.getUTCMonth()]} ${String(at.getUTCDate()).padStart(2)} ${iso.slice(11, 23)}`;
  }
}

/** Go's .999 layouts: at most `digits` of a second, zeros at the end left out. */
function withFraction(iso: string, time: string, digits: number): string {
  const written = /\.(\d+)/.exec(time)?.[1] ?? '';
  const fraction = written.slice(0, digits).replace(/0+$/, '');
  return `${iso.slice(0, 19)}${fraction === '' ? '' : `.${fraction}`}Z`;
}

const UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/**
 * Reads what `--since` and `--until` take: a duration before now (`5m`, `1h30m`), a day, an RFC 3339 time with any of its
 * later parts left out, or seconds since the epoch.
 * @returns milliseconds since the epoch
 * @throws SyntaxError when the text is none of these
 */
export function parseMoment(text: string, nowMs: number): number {
  if (/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) {
    let total = 0;
    for (const [, amount, , unit] of text.matchAll(/(\d+(\.\d+)?)(ns|us|µs|ms|s|m|h)/g))
      total += Number(amount) * UNITS_MS[unit];
    return nowMs - total;
  }
  if (/^\d{9,12}(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const short = /^(\d{4}-\d\d-\d\d)(?:T(\d\d)(?::(\d\d))?(Z|[+-]\d\d:\d\d))?$/.exec(text);
  const full = short === null ? text : `${short[1]}T${short[2] ?? '00'}:${short[3] ?? '00'}:00${short[4] ?? 'Z'}`;
  const parsed = /^\d{4}-\d\d-\d\dT/.test(full) || /^[A-Z][a-z]{2}, \d\d /.test(full) ? Date.parse(full) : Number.NaN;
  if (Number.isNaN(parsed)) throw new SyntaxError(`failed to convert ${text} to time`);
  return parsed;
}
