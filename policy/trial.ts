/**
 * The last gate before a document comes into force: it is compiled once alone, in a cluster of its own. A fault of ours that
 * only compiling shows thus costs the document that it shows in, and never the cluster that everything else lives in.
 */
import { Cluster } from './cluster.ts';
import { type Document, readDocuments, type SlicedDocuments } from './document/document.ts';
import type { Place } from './document/stream.ts';
import { expandWorkload, isWorkload } from './document/workload.ts';
import type { PolicyConfig } from './rule/options.ts';
import { internalFault, type Problem } from './rule/problems.ts';
import { policyName } from './rule/rule.ts';

/** As `readDocuments`; a document that cannot be compiled is left out too, with a problem. */
export function readTried(
  text: string,
  file: string,
  config: PolicyConfig = {},
  namespace?: string,
  place?: Place,
): SlicedDocuments {
  const { documents, problems, slices } = readDocuments(text, file, config, namespace, place);
  const trial = new Trial(config);
  const faults = documents.map((document) => trial.fault(document));
  const found = faults.filter((fault) => fault !== undefined);
  if (found.length === 0) return { documents, problems, slices };
  return { documents: documents.filter((_, i) => faults[i] === undefined), problems: [...problems, ...found], slices };
}

/** Tries one document after another. */
export class Trial {
  readonly #config: PolicyConfig;
  #cluster: Cluster | undefined;

  constructor(config: PolicyConfig) {
    this.#config = config;
  }

  /** @returns what is wrong, when compiling the document fails */
  fault(document: Document): Problem | undefined {
    try {
      this.#cluster ??= new Cluster(this.#config);
      compileIn(this.#cluster, document);
      return undefined;
    } catch (error) {
      this.#cluster = undefined; // who knows what is left in it
      const { file, line } = document;
      const place = { file, line, column: 1, path: '', document: policyName(document) };
      return { ...place, severity: 'error', code: 'internal', message: internalFault(error) };
    }
  }
}

const POD = 1;

function compileIn(cluster: Cluster, document: Document): void {
  const objects = isWorkload(document.kind) ? expandWorkload(document).slice(0, 1) : [document];
  for (const object of objects) cluster.apply(object, POD);
  const rules = (document.policy?.rules ?? []).map((rule, number) => ({ number, order: '', rule }));
  // Whomever they select: an endpoint that has all of these rules.
  const policy = cluster.compiler.acquire(rules, { kind: 'pod', ports: new Map() });
  policy.compile();
  cluster.flush();
  cluster.compiler.release(policy);
  for (const object of objects) cluster.remove(object);
}
