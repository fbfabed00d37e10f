const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How long ago, as kubectl's AGE column has it: `45s`, `3m10s`, `25m`, `5h12m`, `20h`, `3d4h`, `12d`. */
export function age(ms: number): string {
  const whole = (unit: number): number => Math.floor(Math.max(0, ms) / unit);
  const pair = (unit: number, name: string, sub: number, subName: string): string => {
    const rest = Math.floor((ms % unit) / sub);
    return `${whole(unit)}${name}${rest === 0 ? '' : `${rest}${subName}`}`;
  };
  if (ms < 2 * MINUTE) return `${whole(SECOND)}s`;
  if (ms < 10 * MINUTE) return pair(MINUTE, 'm', SECOND, 's');
  if (ms < 3 * HOUR) return `${whole(MINUTE)}m`;
  if (ms < 8 * HOUR) return pair(HOUR, 'h', MINUTE, 'm');
  if (ms < 2 * DAY) return `${whole(HOUR)}h`;
  if (ms < 8 * DAY) return pair(DAY, 'd', HOUR, 'h');
  return `${whole(DAY)}d`;
}
