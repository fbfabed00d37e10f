/** One entry of a rule: its peers of one group, its ports, and what passes on them. */
import { visible } from '../controls/visible.ts';
import { openForm } from './form-dialog.tsx';
import type { DrawnEntry, DrawnPeer, Kind } from './model/drawing.ts';
import { icmpForm, peerForm, portForm } from './model/forms.ts';
import { partOf } from './model/part.ts';
import { peerText } from './model/peer-text.ts';
import type { Path } from './model/values.ts';
import { PortsBox } from './ports-box.tsx';
import { click } from './store.tsx';

interface Props {
  readonly entry: DrawnEntry;
  /** Those of the group that the card stands in; the entry may have others elsewhere. */
  readonly peers: readonly DrawnPeer[];
  readonly namespace: string;
  readonly kind: Kind;
}

export function EntryCard(props: Props) {
  const { entry, peers, kind } = props;
  const { path, isDeny, ports, icmps } = entry;
  const others = entry.peers.length - peers.length;
  const { shown, rest } = partOf(peers);
  return (
    <article class={isDeny ? 'entry deny' : 'entry allow'}>
      <header>
        <span class={`verdict ${isDeny ? 'dropped' : 'forwarded'}`}>
          <span aria-hidden="true">{isDeny ? '✕' : '✓'}</span>
          {isDeny ? 'deny' : 'allow'}
        </span>
        {kind !== 'NetworkPolicy' && (
          <button type="button" class="quiet" onClick={() => click({ do: 'turn-entry', entry: path })}>
            {isDeny ? 'Allow instead' : 'Deny instead'}
          </button>
        )}
        <button type="button" class="quiet" onClick={() => click({ do: 'remove-entry', entry: path })}>
          Remove
        </button>
      </header>
      <ul class="peers">
        {shown.map((peer) => (
          <PeerItem key={String(peer.path)} entry={path} drawn={peer} namespace={props.namespace} />
        ))}
      </ul>
      {rest !== '' && <p class="shared">{rest}</p>}
      {others > 0 && <p class="shared">and {others} more in other groups, with the same ports</p>}
      {ports.length + icmps.length === 0 && <p class="every">every port and protocol</p>}
      {partOf(ports).shown.map((one) => (
        <PortsBox key={String(one.path)} entry={path} ports={one} isPlain={isDeny || kind === 'NetworkPolicy'} />
      ))}
      {icmps.length > 0 && <Icmps icmps={icmps} />}
      <Actions {...props} />
    </article>
  );
}

interface PeerProps {
  readonly entry: Path;
  readonly drawn: DrawnPeer;
  readonly namespace: string;
}

function PeerItem({ entry, drawn: { peer, group, path }, namespace }: PeerProps) {
  const text = visible(peerText(peer));
  return (
    <li>
      <button
        type="button"
        class="peer quiet"
        aria-label={`Change ${text}`}
        onClick={() => openForm(peerForm(entry, { group, namespace }, { path, peer }))}
      >
        {text}
      </button>
      <button
        type="button"
        class="quiet"
        aria-label={`Take away ${text}`}
        onClick={() => click({ do: 'remove-peer', entry, path })}
      >
        ✕
      </button>
    </li>
  );
}

function Icmps({ icmps }: Pick<DrawnEntry, 'icmps'>) {
  return (
    <ul class="chips" aria-label="ICMP">
      {icmps.map(({ path, family, type }) => (
        <li key={String(path)}>
          <span class="mono">{visible(`ICMP${family === 'IPv6' ? 'v6' : ''} ${type}`)}</span>
          <button
            type="button"
            class="quiet"
            aria-label={visible(`Take away ICMP ${type}`)}
            onClick={() => click({ do: 'remove-icmp', path })}
          >
            ✕
          </button>
        </li>
      ))}
    </ul>
  );
}

function Actions({ entry, peers, namespace, kind }: Props) {
  const { path, ports, icmps } = entry;
  const [{ group }] = peers;
  return (
    <div class="actions">
      <button type="button" class="quiet" onClick={() => openForm(peerForm(path, { group, namespace }))}>
        + Peer
      </button>
      {icmps.length === 0 && (
        <button type="button" class="quiet" onClick={() => openForm(portForm(path, undefined))}>
          + Port
        </button>
      )}
      {kind !== 'NetworkPolicy' && ports.length === 0 && (
        <button type="button" class="quiet" onClick={() => openForm(icmpForm(entry))}>
          + ICMP
        </button>
      )}
      {ports.length + icmps.length > 0 && (
        <button type="button" class="quiet" onClick={() => click({ do: 'every-port', entry: path })}>
          Every port
        </button>
      )}
    </div>
  );
}
