/**
 * When cron has it: `minute hour day-of-month month day-of-week`, with lists, ranges, steps, names of months and days, and `@hourly` and the
 * like, in a time zone. When both days are limited, either is enough, as cron has had it always. A time that a change of clocks
 * leaves out does not come; one that it gives twice comes once.
 */
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** A schedule that has no time within so many days has none: 30 February. */
const DAYS_AHEAD = 8 * 366;

const MACROS: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

interface Field {
  readonly name: string;
  readonly least: number;
  readonly most: number;
  readonly names?: readonly string[];
}

const FIELDS: readonly Field[] = [
  { name: 'minute', least: 0, most: 59 },
  { name: 'hour', least: 0, most: 23 },
  { name: 'day of the month', least: 1, most: 31 },
  { name: 'month', least: 1, most: 12, names: MONTHS },
  { name: 'day of the week', least: 0, most: 7, names: DAYS },
];

export class CronSchedule {
  readonly #minutes: readonly number[];
  readonly #hours: readonly number[];
  readonly #daysOfMonth: ReadonlySet<number>;
  readonly #months: ReadonlySet<number>;
  readonly #daysOfWeek: ReadonlySet<number>;
  readonly #isEitherDay: boolean;
  readonly #zone: Zone;

  /** @param timeZone of the IANA; that of this machine when it is '' @throws SyntaxError, RangeError saying what is wrong */
  constructor(text: string, timeZone: string) {
    const fields = (MACROS[text.trim()] ?? text).trim().split(/\s+/);
    if (fields.length !== FIELDS.length)
      throw new SyntaxError(`reading schedule ${JSON.stringify(text)}: found ${fields.length} fields, wanted 5`);
    const [minutes, hours, daysOfMonth, months, daysOfWeek] = fields.map((field, i) => readField(field, FIELDS[i]));
    this.#minutes = [...minutes].sort((a, b) => a - b);
    this.#hours = [...hours].sort((a, b) => a - b);
    this.#daysOfMonth = daysOfMonth;
    this.#months = months;
    this.#daysOfWeek = new Set([...daysOfWeek].map((day) => day % DAYS.length));
    this.#isEitherDay = !isWhole(fields[2]) && !isWhole(fields[4]);
    this.#zone = new Zone(timeZone);
  }

  /** The first time after `ms`, of its minute; undefined when there is none. */
  next(ms: number): number | undefined {
    const start = this.#zone.dateOf(ms);
    for (let day = 0; day <= DAYS_AHEAD; day++) {
      // Days of a calendar are no days of 24 hours: the date alone counts.
      const date = new Date(start + day * DAY_MS);
      if (!this.#isDay(date)) continue;
      for (const hour of this.#hours) {
        for (const minute of this.#minutes) {
          const at = this.#zone.toUtc(date.getTime() + (hour * 60 + minute) * MINUTE_MS);
          if (at !== undefined && at > ms) return at;
        }
      }
    }
    return undefined;
  }

  #isDay(date: Date): boolean {
    if (!this.#months.has(date.getUTCMonth() + 1)) return false;
    const ofMonth = this.#daysOfMonth.has(date.getUTCDate());
    const ofWeek = this.#daysOfWeek.has(date.getUTCDay());
    return this.#isEitherDay ? ofMonth || ofWeek : ofMonth && ofWeek;
  }
}

function isWhole(field: string): boolean {
  return field === '*' || field === '?' || field.startsWith('*/');
}

function readField(text: string, field: Field): Set<number> {
  const found = new Set<number>();
  for (const part of text.split(',')) {
    const match = /^(\*|\?|[\w]+)(?:-(\w+))?(?:\/(\d{1,3}))?$/.exec(part);
    if (match === null) throw wrong(text, field);
    const [, from, to, step] = match;
    const isAll = from === '*' || from === '?';
    if (isAll && to !== undefined) throw wrong(text, field);
    const first = isAll ? field.least : readNumber(from, text, field);
    const only = step === undefined ? first : field.most;
    const last = isAll ? field.most : to === undefined ? only : readNumber(to, text, field);
    const by = step === undefined ? 1 : Number(step);
    if (by === 0 || first > last) throw wrong(text, field);
    for (let value = first; value <= last; value += by) found.add(value);
  }
  return found;
}

function readNumber(text: string, whole: string, field: Field): number {
  const named = field.names?.indexOf(text.toLowerCase()) ?? -1;
  const value = named >= 0 ? named + field.least : /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= field.least && value <= field.most)) throw wrong(whole, field);
  return value;
}

function wrong(text: string, { name, least, most }: Field): SyntaxError {
  return new SyntaxError(
    `reading a schedule: found ${JSON.stringify(text)} as ${name}, wanted ${least} to ${most}, lists, ranges or steps`,
  );
}

/** Wall clocks of a time zone. Their times are numbers as if they were UTC. */
class Zone {
  readonly #format: Intl.DateTimeFormat;

  /** @throws RangeError for a zone that is not known */
  constructor(timeZone: string) {
    this.#format = new Intl.DateTimeFormat('en-US', {
      ...(timeZone !== '' && { timeZone }),
      calendar: 'gregory',
      hourCycle: 'h23',
      ...{ year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' },
    });
  }

  /** Midnight of the day that it is there. */
  dateOf(ms: number): number {
    return Math.floor(this.#wall(ms) / DAY_MS) * DAY_MS;
  }

  /** When it is that time there; undefined when the clocks leave it out. */
  toUtc(wall: number): number | undefined {
    // Clocks differ by less than a day from UTC, and change seldom: the offset there or a day before is the one.
    for (const near of [wall - DAY_MS, wall, wall + DAY_MS]) {
      const at = wall - (this.#wall(near) - near);
      if (this.#wall(at) === wall) return at;
    }
    return undefined;
  }

  #wall(ms: number): number {
    const parts = this.#format.formatToParts(ms);
    const part = (type: string): number => Number(parts.find((one) => one.type === type)?.value ?? 0);
    return Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
  }
}
