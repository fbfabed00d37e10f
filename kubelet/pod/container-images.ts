/**
 * The images of a pod's containers, where podman has them: found or fetched beside the steps of the pod, which go on meanwhile.
 *
 *     (none) --take--> coming --> there --(begun, forget)--> (none)
 *                         '-----> failed: thrown by the next take, after which it begins anew
 *
 * What is there stays so until a container began with it: a pod whose ConfigMap is missing does not fetch its image every two seconds.
 */
import { ContainerProblem } from '../plan/environment.ts';
import { authFileFor } from '../podman/registry-secrets.ts';
import type { ImageConfig } from '../podman/image-config.ts';
import { type ImageReference, pullPolicyOf, readImageReference } from '../podman/image-reference.ts';
import type { PodmanImages } from '../podman/podman-images.ts';
import { isStandIn } from '../images/image-table.ts';
import type { Pod } from '../pod-spec.ts';
import type { ContainerLife } from './container-life.ts';
import { type KubeletParts, tellOf } from './parts.ts';

type Fetch = 'coming' | { readonly image: ImageConfig } | { readonly error: Error };

/** Reasons of ContainerProblem that an image is the cause of. */
const IMAGE_REASONS = ['ErrImagePull', 'ErrImageNeverPull', 'InvalidImageName'];

export function isImageReason(reason: string): boolean {
  return IMAGE_REASONS.includes(reason);
}

export class ContainerImages {
  readonly #parts: KubeletParts;
  readonly #pod: () => Pod;
  readonly #ring: () => void;
  readonly #fetches = new Map<ContainerLife, Fetch>();
  readonly #ending = new AbortController();

  /** @param ring called when one is there, or not to be had */
  constructor(parts: KubeletParts, pod: () => Pod, ring: () => void) {
    this.#parts = parts;
    this.#pod = pod;
    this.#ring = ring;
  }

  /**
   * @returns undefined when programs of the machine or a stand-in run in its place
   * @throws ContainerProblem when it cannot be had
   */
  take(life: ContainerLife): ImageConfig | 'coming' | undefined {
    const { images, standIns } = this.#parts;
    if (images === undefined || isStandIn(life.placed.spec.image ?? '', standIns())) return undefined;
    const fetch = this.#fetches.get(life);
    if (fetch === undefined) {
      this.#fetches.set(life, 'coming');
      void this.#fetch(images, life);
      return 'coming';
    }
    if (fetch === 'coming') return fetch;
    if ('image' in fetch) return fetch.image;
    this.#fetches.delete(life);
    throw fetch.error;
  }

  /** Its container began with it, or could not: the next attempt looks anew. */
  forget(life: ContainerLife): void {
    if (this.#fetches.get(life) !== 'coming') this.#fetches.delete(life);
  }

  /** Ends what is under way. */
  close(): void {
    this.#ending.abort();
  }

  async #fetch(images: PodmanImages, life: ContainerLife): Promise<void> {
    let outcome: Fetch;
    try {
      outcome = { image: await this.#find(images, life) };
    } catch (error) {
      outcome = { error: error as Error };
    }
    this.#fetches.set(life, outcome);
    if (!this.#ending.signal.aborted) this.#ring();
  }

  async #find(images: PodmanImages, life: ContainerLife): Promise<ImageConfig> {
    const { image = '', imagePullPolicy } = life.placed.spec;
    const reference = readImageReference(image);
    if (reference === undefined)
      throw new ContainerProblem('InvalidImageName', `couldn't parse image name "${image}": invalid reference format`);
    const { signal } = this.#ending;
    const policy = reference.isLocal ? 'Never' : pullPolicyOf(imagePullPolicy, reference);
    try {
      const present = policy === 'Always' ? undefined : await images.find(reference, signal);
      if (present !== undefined) {
        this.#tell(life, 'Pulled', `Container image "${image}" already present on machine`);
        return present;
      }
      if (policy !== 'Never') return await this.#pull(images, life, { reference, isAlways: policy === 'Always' });
    } catch (error) {
      throw new ContainerProblem('ErrImagePull', `Failed to pull image "${image}": ${(error as Error).message}`);
    }
    const isAsked = imagePullPolicy === 'Never';
    const why = isAsked ? 'pull policy of Never' : 'no registry in its name to pull it from';
    throw new ContainerProblem('ErrImageNeverPull', `Container image "${image}" is not present with ${why}`);
  }

  async #pull(
    images: PodmanImages,
    life: ContainerLife,
    { reference, isAlways }: { readonly reference: ImageReference; readonly isAlways: boolean },
  ): Promise<ImageConfig> {
    const { image = '' } = life.placed.spec;
    const { signal } = this.#ending;
    const askedMs = Date.now();
    let beganMs = askedMs;
    this.#tell(life, 'Pulling', `Pulling image "${image}"`);
    await images.pull(reference, {
      signal,
      authFile: authFileFor(reference, this.#secrets()),
      // Another pod may have fetched it meanwhile.
      isNeeded: async () => {
        beganMs = Date.now();
        return isAlways || (await images.find(reference, signal)) === undefined;
      },
    });
    const found = await images.find(reference, signal);
    if (found === undefined) throw new Error('podman has fetched it, and does not have it');
    const seconds = (fromMs: number): string => `${(Date.now() - fromMs) / 1000}s`;
    const times = `in ${seconds(beganMs)} (${seconds(askedMs)} including waiting)`;
    this.#tell(life, 'Pulled', `Successfully pulled image "${image}" ${times}. Image size: ${found.bytes} bytes.`);
    return found;
  }

  /** Those that the pod names, else its service account. */
  #secrets(): ReturnType<KubeletParts['storage']['get']>[] {
    const { storage } = this.#parts;
    const { metadata, spec = {} } = this.#pod();
    const { namespace = 'default' } = metadata;
    const account = storage.get('serviceaccounts', namespace, spec.serviceAccountName ?? 'default');
    const ofAccount = account?.imagePullSecrets as { readonly name?: string }[] | undefined;
    const own = spec.imagePullSecrets ?? [];
    const names = own.length > 0 ? own : (ofAccount ?? []);
    return names.map(({ name = '' }) => storage.get('secrets', namespace, name));
  }

  #tell(life: ContainerLife, reason: string, message: string): void {
    tellOf(this.#parts, this.#pod(), life.placed, { type: 'Normal', reason, message });
  }
}
