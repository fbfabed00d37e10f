/** Ports that share requests: the ports as chips, and what may be asked on them. */
import { visible } from '../controls/visible.ts';
import { openForm } from './form-dialog.tsx';
import { type DrawnPorts, PARSERS, type Parser } from './model/drawing.ts';
import { portForm, requestForm, serverNamesForm } from './model/forms.ts';
import { partOf } from './model/part.ts';
import { requestText } from './model/peer-text.ts';
import { portText } from './model/selector-text.ts';
import type { Path } from './model/values.ts';
import { click } from './store.tsx';

interface Props {
  readonly entry: Path;
  readonly ports: DrawnPorts;
  /** Without requests: of a denial, or a NetworkPolicy. */
  readonly isPlain: boolean;
}

const REQUESTS = { http: 'HTTP', dns: 'DNS', kafka: 'Kafka' } as const;

export function PortsBox(props: Props) {
  const { parser, serverNames } = props.ports;
  return (
    <div class="ports">
      <Chips {...props} />
      {serverNames.length > 0 && <p class="names mono">TLS to {visible(serverNames.join(', '))}</p>}
      {parser !== undefined && <Requests ports={props.ports} parser={parser} />}
      {!props.isPlain && <Actions ports={props.ports} />}
    </div>
  );
}

function Chips({ entry, ports: { path, ports }, isPlain }: Props) {
  return (
    <ul class="chips" aria-label="Ports">
      {partOf(ports).shown.map((port) => {
        const text = visible(portText(port));
        return (
          <li key={String(port.path)}>
            <span class="mono">{text}</span>
            <button
              type="button"
              class="quiet"
              aria-label={`Take away port ${text}`}
              onClick={() => click({ do: 'remove-port', path: port.path })}
            >
              ✕
            </button>
          </li>
        );
      })}
      {!isPlain && (
        <li>
          <button
            type="button"
            class="quiet"
            aria-label="Add a port with the same requests"
            onClick={() => openForm(portForm(entry, path))}
          >
            +
          </button>
        </li>
      )}
    </ul>
  );
}

function Requests({ ports, parser }: { readonly ports: DrawnPorts; readonly parser: Parser }) {
  const { shown, rest } = partOf(ports.requests);
  return (
    <ul class="requests" aria-label={`${REQUESTS[parser]} requests that pass`}>
      {shown.map(({ path, fields }) => {
        const text = visible(requestText(parser, fields));
        return (
          <li key={String(path)}>
            <button
              type="button"
              class="quiet mono"
              aria-label={`Change ${text}`}
              onClick={() => openForm(requestForm(ports.path, parser, { path, fields }))}
            >
              {text}
            </button>
            <button
              type="button"
              class="quiet"
              aria-label={`Take away ${text}`}
              onClick={() => click({ do: 'remove-request', path })}
            >
              ✕
            </button>
          </li>
        );
      })}
      {rest !== '' && <li class="shared">{rest}</li>}
    </ul>
  );
}

function Actions({ ports: { path, parser, serverNames } }: Pick<Props, 'ports'>) {
  return (
    <div class="actions">
      {(parser === undefined ? PARSERS : [parser]).map((one) => (
        <button key={one} type="button" class="quiet" onClick={() => openForm(requestForm(path, one))}>
          + {REQUESTS[one]}
        </button>
      ))}
      <button type="button" class="quiet" onClick={() => openForm(serverNamesForm(path, serverNames))}>
        TLS names
      </button>
      {parser !== undefined && (
        <button type="button" class="quiet" onClick={() => click({ do: 'every-request', ports: path })}>
          Every request
        </button>
      )}
    </div>
  );
}
