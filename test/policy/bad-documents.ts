/**
 * One bad document never costs more than itself. Documents of every kind are mutated and go where documents go: reading and
 * trying, the offline world, its lint and its verdicts, the object store behind `apply` and `delete`, the watched directory, a
 * restart of it. One mutant in four is of something else that is read (bad-inputs.ts). Wherever they go, nothing is thrown, each error has its place, and the other documents are in force.
 */
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { loadConfig } from '../../daemon/config/config.ts';
import { ManifestDirectory } from '../../daemon/source/directory.ts';
import { manifestReader } from '../../daemon/source/reader.ts';
import { ObjectStore } from '../../daemon/source/store.ts';
import { lint } from '../../explain/lint.ts';
import { readQuery } from '../../explain/query.ts';
import { FlowJudge } from '../../explain/verdict.ts';
import { PolicyWorld } from '../../explain/world.ts';
import { hasErrors, type Problem } from '../../policy/rule/problems.ts';
import { policyName } from '../../policy/rule/rule.ts';
import { InputProving, type Outcome } from './bad-inputs.ts';
import { type Draw, mutated, mutatedText, pick } from './mutation.ts';
import { seedManifests } from './seed-manifests.ts';

/** What is in force beside the mutant, and must stay so. */
const POLICY = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: guard, namespace: guard}
spec: {podSelector: {matchLabels: {app: guarded}}, ingress: [{from: [{podSelector: {}}]}]}
`;
const GUARD = `${POLICY}---
apiVersion: v1
kind: Pod
metadata: {name: guarded, namespace: guard, labels: {app: guarded}}
status: {podIP: 10.200.0.1}
`;
const GUARDED = ['NetworkPolicy/guard/guard'];
const QUERY = readQuery({ from: { ip: '203.0.113.9' }, to: { pod: 'guard/guarded' }, port: 80 });

const READ = manifestReader({ 'enable-node-selector-labels': true, 'enable-host-firewall': true }, loadConfig());

/** The places that mutants go, in a directory of their own. */
export class Proving {
  readonly #root = mkdtempSync('/dev/shm/slmut-');
  readonly #manifests = join(this.#root, 'manifests');
  readonly #saved = join(this.#root, 'saved');
  readonly #seeds = seedManifests();
  readonly #draw: Draw;
  readonly #inputs: InputProving;
  #round = 0;

  constructor(draw: Draw) {
    this.#draw = draw;
    this.#inputs = new InputProving(this.#root, draw);
    mkdirSync(this.#manifests);
    this.#write('guard.yaml', POLICY);
  }

  remove(): void {
    rmSync(this.#root, { recursive: true, force: true });
  }

  /** Makes a mutant of a manifest, or of what else is read, and says what went wrong. */
  async next(): Promise<Outcome> {
    return this.#draw(4) === 0 ? this.#inputs.next() : this.#manifest();
  }

  /** Sends it everywhere. */
  #manifest(): Outcome {
    const seed = pick(this.#seeds, this.#draw);
    const isText = this.#draw(5) === 0;
    const text = isText ? mutatedText(seed, this.#draw) : stringify(mutated(seed, this.#draw));
    const outcome = { text, isRefused: false, fault: '' };
    try {
      const { documents, problems } = READ(`${GUARD}---\n${text}`, 'mutant.yaml');
      outcome.isRefused = hasErrors(problems);
      const faults = [
        ...problems.map(placeFault),
        missing('reading', GUARDED, documents.map(policyName)),
        this.#verdicts(documents),
        this.#apply(text),
        this.#directory(stringify(seed), text),
      ];
      outcome.fault = faults.find((fault) => fault !== '') ?? '';
    } catch (error) {
      outcome.fault = `threw ${(error as Error).stack}`;
    }
    return outcome;
  }

  #verdicts(documents: ReturnType<typeof READ>['documents']): string {
    const world = new PolicyWorld(documents, { 'enable-node-selector-labels': true });
    const fault = lint(world)
      .map(placeFault)
      .find((text) => text !== '');
    if (fault !== undefined) return fault;
    const judge = new FlowJudge(world);
    const outside = judge.answer(QUERY);
    const isOurs = documents.some(({ policy, namespace }, i) => i > 1 && policy !== undefined && namespace === 'guard');
    return outside.verdict === 'denied' || isOurs
      ? ''
      : `the guard's policy is not in force: ${JSON.stringify(outside)}`;
  }

  #apply(text: string): string {
    const directory = join(this.#root, `objects${this.#round++}`);
    const store = new ObjectStore(directory, READ);
    store.load();
    store.apply(POLICY, 'guard.yaml');
    const { applied, problems } = store.apply(text, 'mutant.yaml');
    const restarted = new ObjectStore(directory, READ);
    const lost = restarted.load();
    const names = (all: ObjectStore) => {
      all.takeChanges();
      return [...all.documents()].map(policyName);
    };
    const faults = [
      missing('apply', GUARDED, names(store)),
      missing('a restart', names(store), names(restarted)),
      lost.length > 0 ? `a restart: ${JSON.stringify(lost[0])}` : '',
      applied.length > 0 && hasErrors(problems) ? 'apply took a part' : '',
    ];
    restarted.deleteText(text, 'mutant.yaml');
    rmSync(directory, { recursive: true, force: true });
    return faults.find((fault) => fault !== '') ?? '';
  }

  /** The file was good, then is the mutant; then the agent starts anew. */
  #directory(good: string, text: string): string {
    rmSync(this.#saved, { recursive: true, force: true });
    this.#write('mutant.yaml', good);
    const directory = new ManifestDirectory(this.#manifests, READ, this.#saved);
    const before = namesOf(directory.scan());
    this.#write('mutant.yaml', text);
    const found = directory.scan();
    if (found === undefined) return 'the directory did not see the change';
    const isBad = hasErrors(found.problems);
    const after = namesOf(found);
    const restarted = namesOf(new ManifestDirectory(this.#manifests, READ, this.#saved).scan());
    const unnamed = found.problems.find(
      ({ file }) => file !== join(this.#manifests, 'mutant.yaml') && file !== join(this.#manifests, 'guard.yaml'),
    );
    return (
      missing('the directory', GUARDED, after) ||
      (isBad ? missing('the directory, the file being bad', before, after) : '') ||
      missing('a restart on the directory', after, restarted) ||
      (unnamed === undefined ? '' : `names no file: ${JSON.stringify(unnamed)}`)
    );
  }

  #write(name: string, text: string): void {
    const path = join(this.#manifests, name);
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  }
}

function namesOf(contents: ReturnType<ManifestDirectory['scan']>): string[] {
  return (contents?.documents ?? []).map(({ document }) => policyName(document));
}

function missing(where: string, wanted: readonly string[], found: readonly string[]): string {
  const lost = wanted.filter((name) => !found.includes(name));
  return lost.length === 0 ? '' : `${where} lost ${lost.join(', ')}`;
}

function placeFault(problem: Problem): string {
  const { file, line, column, message, code, severity } = problem;
  const isPlaced = file === 'mutant.yaml' && line >= 1 && column >= 1 && message.includes(': ');
  const isOurs = code === 'internal' || message.includes('undefined') || message.includes('[object');
  return isPlaced && !isOurs ? '' : `${severity} without its place, or of ours: ${JSON.stringify(problem)}`;
}
