/**
 * Renders charts/sluice, the one source of what runs in a cluster: the same manifests that `helm template` makes of it (a test compares
 * the two). Helm itself is not needed.
 *
 *     Chart.yaml, values.yaml, values.schema.json, templates/  +  -f, --set  -->  manifests, in the order in which they may be applied
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { PACKAGE_ROOT } from '../../linux/package-root.ts';
import { Failure } from '../terminal/failure.ts';
import { RefusedValue } from './template-functions.ts';
import { parseTemplate } from './template-parser.ts';
import { TemplateRun } from './template-run.ts';
import { overlaid, type Schema, schemaProblems, type Values } from './values.ts';

const CHART = join(PACKAGE_ROOT, 'charts/sluice');
/** Before what needs them; other kinds come last. */
const ORDER = [
  'Namespace',
  'CustomResourceDefinition',
  'ServiceAccount',
  'ConfigMap',
  'ClusterRole',
  'ClusterRoleBinding',
];
/** Helm's word for what is left when a release is removed: policies go with their definitions. */
const KEPT = 'helm.sh/resource-policy';

export interface Release {
  readonly namespace: string;
  /** Over those of the chart, the later over the earlier. */
  readonly values: readonly Values[];
}

interface ClusterObject {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
}

/**
 * Every object of the chart.
 * @throws Failure that says which value is refused, and why
 */
export function chartObjects({ namespace, values }: Release): ClusterObject[] {
  const read = (name: string): string => readFileSync(join(CHART, name), 'utf8');
  const own = parse(read('values.yaml')) as Values;
  const given = values.reduce(overlaid, own);
  const problems = schemaProblems(JSON.parse(read('values.schema.json')) as Schema, given);
  if (problems.length > 0) throw new Failure(problems.join('\n'));
  const about = parse(read('Chart.yaml')) as { name: string; version: string; appVersion: string };
  const dot = {
    Values: given,
    Release: { Name: 'sluice', Namespace: namespace, Service: 'Helm' },
    Chart: { Name: about.name, Version: about.version, AppVersion: about.appVersion },
  };
  const files = readdirSync(join(CHART, 'templates')).toSorted();
  const templates = new Map(files.map((name) => [name, parseTemplate(read(`templates/${name}`), name)]));
  const run = new TemplateRun(templates.values());
  try {
    const texts = [...templates].filter(([name]) => name.endsWith('.yaml')).map(([, { body }]) => run.print(body, dot));
    return texts.flatMap(objectsIn).toSorted((a, b) => placeOf(a) - placeOf(b));
  } catch (error) {
    throw error instanceof RefusedValue ? new Failure(error.message) : error;
  }
}

function objectsIn(text: string): ClusterObject[] {
  return parseAllDocuments(text).flatMap((document) => {
    if (document.errors.length > 0)
      throw new Failure(`the chart does not give YAML with these values: ${document.errors[0].message}`);
    const object = document.toJS() as ClusterObject | null;
    return object === null ? [] : [object];
  });
}

function placeOf({ kind }: ClusterObject): number {
  const at = ORDER.indexOf(kind);
  return at < 0 ? ORDER.length : at;
}

/** Manifests to be applied. */
export function installManifests(release: Release): string {
  return manifests(chartObjects(release));
}

/** Manifests to be deleted, last first; definitions of policies are not among them, for the policies would go too. */
export function uninstallManifests(release: Release): string {
  return manifests(
    chartObjects(release)
      .filter(({ metadata }) => metadata.annotations?.[KEPT] !== 'keep')
      .toReversed(),
  );
}

const manifests = (objects: readonly ClusterObject[]): string =>
  objects.map((object) => `---\n${stringify(object, { lineWidth: 0 })}`).join('');
