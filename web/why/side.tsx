/** What one end's policy says: the entries that could decide, the winner first, each with the rules that made it. */
import type { Origin } from '../../policy/rule/rule.ts';
import { portText } from '../../policy-maps/printed-entry.ts';
import { identityText } from '../../wire/identities.ts';
import { visible } from '../controls/visible.ts';
import { policyKey } from '../controls/policy-key.ts';
import { hrefOf } from '../shell/location.tsx';
import type { Explained } from './asked.tsx';

type SideDocument = Explained['explanation'][number];
type Candidate = SideDocument['candidates'][number];

interface Props {
  readonly side: SideDocument;
  readonly verdict: string | undefined;
}

export function Side({ side: { direction, subject, remote, candidates, decidedBy }, verdict }: Props) {
  const isClosed = candidates.length === 0 && decidedBy.length > 0;
  return (
    <section>
      <h2>
        {direction === 'egress' ? 'Out of' : 'Into'} {visible(subject.name)}
        {verdict !== undefined && `: ${verdict}`}
      </h2>
      <p class="why-ends">
        {direction === 'egress' ? 'to' : 'from'} {visible(remote.name)} (identity {identityText(remote.identity)})
      </p>
      {candidates.length > 0 && <Candidates candidates={candidates} />}
      {isClosed && (
        <p>
          {direction} is closed by <Origins origins={decidedBy} />
        </p>
      )}
      {candidates.length === 0 && !isClosed && (
        <p>No policy selects it for {direction}, or none is kept for it here.</p>
      )}
    </section>
  );
}

function Candidates({ candidates }: { readonly candidates: readonly Candidate[] }) {
  return (
    // The table scrolls by itself on narrow screens; a key must reach it.
    <div class="why-scroll" tabIndex={0} role="region" aria-label="Entries that could decide">
      <table>
        <thead>
          <tr>
            <th scope="col">Decides</th>
            <th scope="col">Entry</th>
            <th scope="col">Identity</th>
            <th scope="col">Port</th>
            <th scope="col">Why</th>
            <th scope="col">Rules</th>
          </tr>
        </thead>
        <tbody>
          {candidates.map(({ entry, isWinner, why, origins, additions }, index) => (
            <tr key={index} class={isWinner ? 'winner' : ''}>
              <td>{isWinner ? '★ yes' : 'no'}</td>
              <td>{entry.deny ? 'deny' : entry.proxyPort > 0 ? 'allow, L7' : 'allow'}</td>
              <td>{entry.identity === 0 ? 'any' : identityText(entry.identity)}</td>
              <td class="mono">{portText(entry.protocol, entry.port, entry.portPrefix)}</td>
              <td>{visible(why)}</td>
              <td>
                <Origins origins={origins} />
                {additions.map((text) => (
                  <span key={text}>{visible(text)}</span>
                ))}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Rules, each with its file and line, leading to the text of its policy. */
function Origins({ origins }: { readonly origins: readonly Origin[] }) {
  return (
    <ul class="why-origins">
      {origins.map(({ kind, namespace, name, path, file, line }, index) => (
        <li key={index}>
          <a href={hrefOf('policies', { policy: policyKey({ kind, namespace, name }), line: String(line) })}>
            {visible(namespace === '' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`)}
          </a>
          {path !== '' && <code>{visible(path)}</code>}
          {file !== '' && <code>{visible(`${file}:${line}`)}</code>}
        </li>
      ))}
    </ul>
  );
}
