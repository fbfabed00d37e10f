/** How long ago something was, as kubectl shows it. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

/** How far two clocks may differ before a time that lies ahead is no age at all. */
const TOLERANCE = 2 * SECOND;

/** How long ago, as kubectl's AGE column has it: `45s`, `3m10s`, `25m`, `5h12m`, `20h`, `3d4h`, `12d`, `2y40d`. */
export function age(ms: number): string {
  const whole = (unit: number): number => Math.floor(Math.max(0, ms) / unit);
  const pair = (unit: number, name: string, sub: number, subName: string): string => {
    const rest = Math.floor((ms % unit) / sub);
    return `${whole(unit)}${name}${rest === 0 ? '' : `${rest}${subName}`}`;
  };
  if (ms <= -TOLERANCE) return '<invalid>';
  if (ms < 2 * MINUTE) return `${whole(SECOND)}s`;
  if (ms < 10 * MINUTE) return pair(MINUTE, 'm', SECOND, 's');
  if (ms < 3 * HOUR) return `${whole(MINUTE)}m`;
  if (ms < 8 * HOUR) return pair(HOUR, 'h', MINUTE, 'm');
  if (ms < 2 * DAY) return `${whole(HOUR)}h`;
  if (ms < 8 * DAY) return pair(DAY, 'd', HOUR, 'h');
  if (ms < 2 * YEAR) return `${whole(DAY)}d`;
  if (ms < 8 * YEAR) return pair(YEAR, 'y', DAY, 'd');
  return `${whole(YEAR)}y`;
}

/** How long before `nowMs` a time was that an object tells. @param time RFC 3339, or nothing */
export function ageOf(time: unknown, nowMs: number): string {
  const ms = typeof time === 'string' ? Date.parse(time) : Number.NaN;
  return Number.isNaN(ms) ? '<unknown>' : age(nowMs - ms);
}
