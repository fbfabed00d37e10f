/**
 * Labels of podman's containers. podman tells a plugin none, and holds a lock on the container while it waits for it, so that
 * `podman inspect` would wait for ever. What it has written of the container's making is told without that lock, at the price of
 * one start of podman a container (some 100 ms). The plugin runs it, in podman's own environment.
 */
import { CNI_CODES, CniError } from './cni-error.ts';
import { isLabel, type Labels } from './labels.ts';
import type { CniRequest, Outcome } from './request.ts';

/** The command that tells of a container; none when nobody asked for it. */
export function podmanCommand({ config, containerId }: CniRequest): readonly string[] {
  if (config.podman.length === 0) return [];
  const filters = ['--filter', `container=${containerId}`, '--filter', 'event=create'];
  return [...config.podman, 'events', '--stream=false', ...filters, '--format', 'json'];
}

/**
 * The labels among what it said. Those that could not be labels of a pod (an image's description) are left out: no policy can speak
 * of them.
 * @throws CniError when it did not say: a container of unknown labels might be let too much
 */
export function podmanLabels({ exit, output, problem }: Outcome): Labels {
  if (exit !== 0)
    throw new CniError(CNI_CODES.again, `ask podman for labels: exit ${exit}`, problem || output.slice(-500));
  const event = output.split('\n').find((line) => line.startsWith('{'));
  if (event === undefined)
    throw new CniError(CNI_CODES.again, 'ask podman for labels: it has no event of the container being made');
  const { Attributes: labels = {} } = JSON.parse(event) as { Attributes?: Record<string, unknown> | null };
  const texts = Object.entries(labels ?? {}).filter((one): one is [string, string] => typeof one[1] === 'string');
  return Object.fromEntries(texts.filter(([key, value]) => isLabel(key, value)));
}
