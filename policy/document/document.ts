/**
 * Text -> documents. YAML or JSON, many documents a file, lists unfolded; every problem of every document at once.
 * A document with an error is not returned, so nothing of it can be applied.
 */
import { isMap, isScalar, isSeq, type Node, Pair, Scalar } from 'yaml';
import { checkAddresses, isAddress } from './address.ts';
import type { EgressPolicyDocument } from './egress-document.ts';
import type { NetworkPolicySpec } from './network-policy.ts';
import { optionsUnder } from './annotations.ts';
import { policyOf } from './document-policy.ts';
import { completeOptions, type PolicyConfig, type PolicyOptions } from '../rule/options.ts';
import { hasErrors, internalFault, nearest, type Problem, quote } from '../rule/problems.ts';
import { type Policy, policyName } from '../rule/rule.ts';
import { type DocumentKind, isDocumentKind, type KindEntry, KINDS } from './kinds.ts';
import { Reader } from './reader.ts';
import { type Slice, Slicer } from './slice.ts';
import { parseStream, type Place } from './stream.ts';
import { isEmpty, syntaxProblems } from './yaml.ts';
import { validateCiliumPolicy } from '../validate/cilium.ts';
import { checkMetadata, checkTemplate } from '../validate/metadata.ts';
import { validateEgressPolicy } from '../validate/egress-gateway.ts';
import { validateEndpoints } from '../validate/endpoints.ts';
import { validateNetworkPolicy } from '../validate/network-policy.ts';
import { checkCidr } from '../validate/peers.ts';
import { validatePodNames } from '../validate/pod-names.ts';
import { validateSecret } from '../validate/secret.ts';
import { validateService } from '../validate/service.ts';

const DEFAULT_NAMESPACE = 'default';

export interface Document {
  readonly kind: DocumentKind;
  readonly apiVersion: string;
  /** '' when the kind has none; `default` when it has one and the document does not say. */
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** The whole object as plain values. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the kinds differ too much; readers cast to what they know
  readonly object: Record<string, any>;
  /** The rules, for the three policy kinds. */
  readonly policy?: Policy;
}

export interface Documents {
  readonly documents: Document[];
  readonly problems: Problem[];
}

export interface SlicedDocuments extends Documents {
  /** What to keep of the text so that a document can be read again without the others. */
  readonly slices: ReadonlyMap<Document, Slice>;
}

/**
 * Reads all documents of a text.
 * @param file the name that problems carry
 * @param namespace that of documents that name none
 * @param place where the text begins in that file
 * @returns the documents without errors, and every problem; never throws on bad input
 */
export function readDocuments(
  text: string,
  file: string,
  config: PolicyConfig = {},
  namespace = DEFAULT_NAMESPACE,
  place?: Place,
): SlicedDocuments {
  const slices = new Map<Document, Slice>();
  const problems: Problem[] = [];
  const options = completeOptions(config);
  const stream = parseStream(text, place);
  const slicer = new Slicer(stream);
  for (const yaml of stream.documents) {
    const found = syntaxProblems(yaml, stream.lines, file);
    problems.push(...found);
    if (hasErrors(found) || isEmpty(yaml.contents)) continue;
    slicer.begin(yaml);
    for (const { node, isWhole } of unfold(yaml.contents as Node)) {
      const reader = new Reader(yaml, stream.lines, file);
      const document = readGuarded(node, reader, { options, file, namespace });
      problems.push(...reader.problems.sort(byPlace));
      if (document === undefined || hasErrors(reader.problems)) continue;
      slices.set(document, isWhole ? slicer.item(node) : slicer.document());
    }
  }
  return { documents: [...slices.keys()], problems, slices };
}

interface Unfolded {
  readonly node: Node;
  /** An item of a list that says itself what it is. */
  readonly isWhole: boolean;
}

/** The objects of a `List` or `XList`, or the node itself. */
function unfold(node: Node): Unfolded[] {
  const alone = [{ node, isWhole: false }];
  const kind = scalarField(node, 'kind');
  if (kind === undefined || !kind.endsWith('List') || !isMap(node)) return alone;
  const items = node.get('items', true);
  if (!isSeq(items)) return alone;
  const apiVersion = scalarField(node, 'apiVersion');
  return items.items.map((item) => ({ node: item as Node, isWhole: !nameItem(item, kind, apiVersion) }));
}

/**
 * Items of a typed list need not say what they are: the API server leaves it out.
 * @returns whether something had to be said
 */
function nameItem(item: unknown, listKind: string, apiVersion: string | undefined): boolean {
  const kind = listKind.slice(0, -'List'.length);
  if (kind === '' || !isMap(item)) return false;
  let isNamed = false;
  for (const [key, text] of [
    ['kind', kind],
    ['apiVersion', apiVersion],
  ] as const) {
    if (text === undefined || item.has(key)) continue;
    const pair = new Pair(new Scalar(key), new Scalar(text));
    for (const scalar of [pair.key, pair.value]) if (scalar !== null) scalar.range = item.range ?? null;
    item.items.unshift(pair);
    isNamed = true;
  }
  return isNamed;
}

function scalarField(node: Node, name: string): string | undefined {
  const value = isMap(node) ? node.get(name, true) : undefined;
  return isScalar(value) && typeof value.value === 'string' ? value.value : undefined;
}

/** What every kind has, if its author did not forget. */
interface Header {
  readonly apiVersion?: string;
  readonly metadata?: {
    readonly name?: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

export interface ReadContext {
  readonly options: PolicyOptions;
  readonly file: string;
  /** Of documents that name none. */
  readonly namespace: string;
}

/** A fault of ours costs the document that it shows in, and no other. */
function readGuarded(node: Node, reader: Reader, context: ReadContext): Document | undefined {
  try {
    return readDocument(node, reader, context);
  } catch (error) {
    reader.problem('', 'internal', internalFault(error));
    return undefined;
  }
}

function readDocument(node: Node, reader: Reader, context: ReadContext): Document | undefined {
  const kind = scalarField(node, 'kind');
  if (!isMap(node) || kind === undefined) {
    reader.read(node, { kind: 'any' }, '');
    reader.problem(
      '',
      'no-kind',
      `read document: found ${isMap(node) ? 'no kind' : 'no map'}, wanted a Kubernetes object`,
    );
    return undefined;
  }
  const group = groupOf(scalarField(node, 'apiVersion'));
  if (!isOurGroup(group)) {
    reader.read(node, { kind: 'any' }, '');
    otherGroup(kind, group, reader);
    return undefined;
  }
  if (!isDocumentKind(kind)) {
    unknownKind(kind, node, reader);
    return undefined;
  }
  const entry: KindEntry = KINDS[kind];
  reader.documentName = policyName({ kind, ...writtenName(node, entry.namespaced ? context.namespace : '') });
  const object = reader.read(node, entry.shape, '') as Document['object'] | undefined;
  return object && documentOf(kind, object, reader, context);
}

/**
 * Makes a document of an object that has the shape of its kind, checking what a shape cannot say.
 * @returns the document, which counts when `reader` has no errors
 */
export function documentOf(
  kind: DocumentKind,
  object: Document['object'] & Header,
  reader: Reader,
  context: ReadContext,
): Document {
  const entry: KindEntry = KINDS[kind];
  checkVersion(object.apiVersion, entry, reader);
  const metadata = object.metadata ?? {};
  // An empty namespace is none, as to the API server.
  const namespace = entry.namespaced ? metadata.namespace || context.namespace : '';
  checkMetadata(metadata, { kind, isNamespaced: entry.namespaced, template: entry.template }, reader);
  const document: Document = {
    kind,
    apiVersion: object.apiVersion ?? '',
    namespace,
    name: metadata.name ?? '',
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
    file: context.file,
    line: reader.position('').line,
    // Whoever reads the object alone finds the namespace there too.
    object: namespace === '' ? object : { ...object, metadata: { ...metadata, namespace } },
  };
  return finish(document, reader, context);
}

function byPlace(a: Problem, b: Problem): number {
  return a.line - b.line || a.column - b.column;
}

/** Names as they are written, for problems. @param fallback namespace of who names none; '' for kinds that have none */
function writtenName(node: Node, fallback: string): { namespace: string; name: string } {
  const metadata = isMap(node) ? node.get('metadata', true) : undefined;
  const namespace = fallback === '' ? '' : scalarField(metadata as Node, 'namespace') || fallback;
  return { namespace, name: scalarField(metadata as Node, 'name') ?? '' };
}

/** Groups whose kinds are read, or were once: a kind of theirs that we do not know is likely misspelt. */
const GROUPS = [
  '',
  'extensions',
  ...new Set(
    Object.values<KindEntry>(KINDS).flatMap(({ apiVersions }) => apiVersions.map((version) => groupOf(version))),
  ),
];

/** `apps` of `apps/v1`, '' of `v1` and of nothing. */
function groupOf(apiVersion = ''): string {
  return apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
}

/** One of those, or one that is surely meant to be. */
function isOurGroup(group: string): boolean {
  return (
    GROUPS.includes(group) ||
    (group !== '' &&
      nearest(
        group,
        GROUPS.filter((one) => one.length > 3),
      ) !== undefined)
  );
}

/** A kind of somebody else's: one line, whatever is in it. A NetworkPolicy that is not ours is an error: its author may take it for ours. */
function otherGroup(kind: string, group: string, reader: Reader): void {
  const message = `read document: found kind ${quote(kind)} of ${group}, wanted one of Kubernetes or Cilium`;
  if (kind === 'NetworkPolicy') reader.problem('kind', 'other-group', message, 'policies of others are not enforced');
  else reader.warn('kind', 'unknown-kind', message, 'it is skipped');
}

function unknownKind(kind: string, node: Node, reader: Reader): void {
  reader.read(node, { kind: 'any' }, '');
  const near = nearest(kind, Object.keys(KINDS));
  const known = Object.keys(KINDS).join(', ');
  const message = `read document: found kind ${quote(kind)}, wanted one of ${known}`;
  if (near === undefined) reader.warn('kind', 'unknown-kind', message, 'it is skipped');
  else reader.problem('kind', 'unknown-kind', message, `did you mean ${near}?`);
}

function checkVersion(version: string | undefined, { apiVersions }: KindEntry, reader: Reader): void {
  if (version === undefined || apiVersions.includes(version)) return;
  reader.problem(
    'apiVersion',
    'api-version',
    `read document: found apiVersion ${quote(version)}, wanted ${apiVersions[0]}`,
  );
}

/** Checks and converts what only some kinds have. */
function finish(document: Document, reader: Reader, context: ReadContext): Document {
  switch (document.kind) {
    case 'NetworkPolicy': {
      const { spec } = document.object as { spec?: NetworkPolicySpec };
      validateNetworkPolicy(spec, reader);
      return withRules(document, reader, context);
    }
    case 'CiliumNetworkPolicy':
    case 'CiliumClusterwideNetworkPolicy': {
      const isClusterwide = document.namespace === '';
      validateCiliumPolicy(document.object, {
        reader,
        options: optionsUnder(document.annotations, context.options),
        isClusterwide,
        namespace: document.namespace,
      });
      return withRules(document, reader, context);
    }
    case 'CiliumCIDRGroup': {
      const { spec } = document.object as { spec?: { externalCIDRs?: string[] } };
      spec?.externalCIDRs?.forEach((text, i) => checkGroupCidr(text, `spec.externalCIDRs[${i}]`, reader));
      return document;
    }
    case 'CiliumEgressGatewayPolicy': {
      validateEgressPolicy((document.object as { spec?: Partial<EgressPolicyDocument> }).spec, reader);
      return document;
    }
    case 'Secret': {
      validateSecret(document.object, reader);
      return document;
    }
    case 'Service': {
      validateService(document, reader);
      return document;
    }
    case 'EndpointSlice':
    case 'Endpoints': {
      validateEndpoints(document, reader);
      return document;
    }
    default: {
      const { template }: KindEntry = KINDS[document.kind];
      checkAddresses(document.kind, document.object, reader);
      checkTemplate(document.object, { template }, reader);
      const pod = document.kind === 'Pod' ? 'spec' : template && `${template}.spec`;
      if (pod !== undefined) validatePodNames(document.object, pod, reader);
      return document;
    }
  }
}

function checkGroupCidr(text: string, path: string, reader: Reader): void {
  // A group may hold single addresses, which policies may not.
  if (isAddress(text)) return;
  checkCidr(text, path, reader);
}

function withRules(document: Document, reader: Reader, { options }: ReadContext): Document {
  if (hasErrors(reader.problems)) return document;
  return { ...document, policy: policyOf(document, options, (path) => reader.position(path).line) };
}
