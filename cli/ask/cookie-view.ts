/** The rules behind a cookie, as `sluice cookie` shows them: where each stands, and what it says there now. */
import { stringify } from 'yaml';
import { DaemonApi } from '../../api/daemon-api.ts';
import { valueAt } from '../../policy/document/document-path.ts';
import { type Origin, originText, policyName } from '../../policy/rule/rule.ts';
import { Failure } from '../terminal/failure.ts';
import { printListing } from '../terminal/output.ts';
import type { Settings } from '../terminal/settings.ts';
import { printable } from '../terminal/table.ts';

interface Rule extends Origin {
  readonly labels?: Readonly<Record<string, string>>;
  /** The rule in the policy as it is in force now; absent when that has changed or gone. */
  readonly rule?: unknown;
}

/** @throws Failure when no rule is behind it */
export async function showCookie(settings: Settings, cookie: number): Promise<void> {
  const api = new DaemonApi(settings);
  const current = (await api.cookies()).find(({ id }) => id === cookie)?.origins;
  // Events outlive policies: the agent remembers cookies for a while.
  const origins = current ?? (await api.cookie(cookie));
  if (origins.length === 0)
    throw new Failure(
      `find cookie ${cookie}: no rule is behind it: see \`sluice bpf policy get --all\`, or its rules went long ago`,
    );
  const policies = new Map(current && (await api.policies()).map((one) => [policyName(one), one]));
  const rules = origins.map((origin): Rule => {
    const policy = policies.get(policyName(origin));
    if (policy === undefined) return origin;
    const { labels } = policy.object.metadata ?? {};
    return { ...origin, ...(labels !== undefined && { labels }), rule: valueAt(policy.object, origin.path) };
  });
  if (settings.output === 'table') settings.host.stdout.write(rules.map(ruleText).join(''));
  else await printListing(settings, { columns: [], rows: rules, nameOf: policyName });
}

function ruleText(rule: Rule): string {
  const { kind, labels = {}, log } = rule;
  if (kind === 'reserved') return `${rule.name}: what the compiler adds by itself\n`;
  const lines = [originText(rule)];
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  if (pairs.length > 0) lines.push(`    # labels: ${pairs.join(', ')}`);
  if (log !== undefined) lines.push(`    # log: ${log}`);
  const text =
    rule.rule === undefined ? '# it is no longer in force' : stringify(rule.rule, { aliasDuplicateObjects: false });
  lines.push(
    ...text
      .trimEnd()
      .split('\n')
      .map((line) => `    ${line}`),
  );
  return lines.map((line) => `${printable(line)}\n`).join('');
}
