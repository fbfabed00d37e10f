/** Flows become messages and come back whole; the runtime's own way over message objects is what the encoder is held to. */
import {
  type DescField,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonValue,
  ScalarType,
  toJson,
} from '@bufbuild/protobuf';
import fc from 'fast-check';
import t from 'tap';
import { SEED } from '../../test/random.ts';
import { dropsOfAllReasons, flowsOfAllKinds } from '../../test/hubble/flows-of-all-kinds.ts';
import type { Envelope } from '../flow.ts';
import { lostEnvelope } from '../decode/decode.ts';
import { compileFilter } from '../filter/filter.ts';
import { FlowFilterSchema } from '../proto/flow/flow_pb.ts';
import { HealthListResponseSchema } from '../proto/grpc/health/v1/health_pb.ts';
import * as observer from '../proto/observer/observer_pb.ts';
import { compileEncoder } from './encoder.ts';
import { decodeEnvelope, encodeEnvelope, JSON_OPTIONS } from './envelope.ts';
import { compileMask } from './field-mask.ts';
import { filterOf } from './filter.ts';

const envelopes: Envelope[] = [
  ...[...flowsOfAllKinds(), ...dropsOfAllReasons()].map((flow) => ({
    flow,
    ...(flow.node_name === undefined ? {} : { node_name: flow.node_name }),
    time: flow.time,
  })),
  lostEnvelope('PERF_EVENT_RING_BUFFER', 3, 'node-1', 1000),
];

t.test('every flow comes back as it was, to the order of its members', async (t) => {
  t.ok(envelopes.length > 200, `${envelopes.length} envelopes`);
  for (const envelope of envelopes) {
    const text = JSON.stringify(envelope);
    const back = decodeEnvelope(encodeEnvelope(envelope));
    if (JSON.stringify(back) !== text) t.equal(JSON.stringify(back), text);
  }
});

t.test('the encoder says what the runtime says', async (t) => {
  const encode = compileEncoder(observer.GetFlowsResponseSchema);
  for (const envelope of envelopes) {
    const json = JSON.parse(JSON.stringify(envelope)) as object;
    const [ours, theirs] = bothWays(observer.GetFlowsResponseSchema, json, encode(json));
    t.same(ours, theirs);
  }
});

const SCHEMAS: readonly DescMessage[] = [
  observer.GetFlowsResponseSchema,
  observer.GetAgentEventsResponseSchema,
  observer.GetDebugEventsResponseSchema,
  observer.GetNodesResponseSchema,
  observer.GetNamespacesResponseSchema,
  observer.ServerStatusResponseSchema,
];

t.test('so it does for whatever the fields of a message hold', async (t) => {
  for (const schema of SCHEMAS) {
    const encode = compileEncoder(schema);
    fc.assert(
      fc.property(anything(schema), (json) => {
        const [ours, theirs] = bothWays(schema, json, encode(json));
        t.same(ours, theirs, schema.typeName);
      }),
      { seed: SEED, numRuns: 60 },
    );
  }
});

/** What our bytes and the runtime's reading of the JSON mean, as JSON. */
function bothWays(schema: DescMessage, json: object, bytes: Uint8Array): [JsonValue, JsonValue] {
  const ours = toJson(schema, fromBinary(schema, bytes), JSON_OPTIONS);
  const theirs = toJson(schema, fromJson(schema, json as JsonValue, JSON_OPTIONS), JSON_OPTIONS);
  return [ours, theirs];
}

const WELL_KNOWN: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  'google.protobuf.Timestamp': fc
    .tuple(
      fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }),
      fc.constantFrom('', '.5', '.006', '.000000001'),
      fc.constantFrom('Z', '+02:00', '-09:30'),
    )
    .filter(([seconds]) => seconds > -62_000_000_000 && seconds < 253_000_000_000)
    .map(([seconds, fraction, zone]) => `${new Date(seconds * 1000).toISOString().slice(0, 19)}${fraction}${zone}`),
  'google.protobuf.BoolValue': fc.boolean(),
  'google.protobuf.Int32Value': fc.integer(),
  'google.protobuf.UInt32Value': fc.nat(),
  'google.protobuf.Any': fc
    .string()
    .map((value) => ({ '@type': 'type.googleapis.com/google.protobuf.StringValue', value })),
};

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.string({ minLength: 60, maxLength: 400 }),
);
const long = (min: bigint, max: bigint) => fc.bigInt({ min, max }).map(String);

const SCALARS: Readonly<Partial<Record<ScalarType, fc.Arbitrary<unknown>>>> = {
  [ScalarType.STRING]: text,
  [ScalarType.BOOL]: fc.boolean(),
  [ScalarType.INT32]: fc.oneof(fc.constant(0), fc.integer()),
  [ScalarType.UINT32]: fc.oneof(fc.nat(200), fc.integer({ min: 0, max: 2 ** 32 - 1 })),
  [ScalarType.INT64]: long(-(2n ** 63n), 2n ** 63n - 1n),
  [ScalarType.UINT64]: fc.oneof(long(0n, 1000n), long(0n, 2n ** 64n - 1n)),
  [ScalarType.DOUBLE]: fc.double({ noNaN: true, noDefaultInfinity: true }),
};

/** Any JSON of a message: fields are there or not, of a oneof at most one. */
function anything(schema: DescMessage): fc.Arbitrary<object> {
  const members = schema.fields.map((field) => fc.option(valueOf(field), { nil: undefined }));
  return fc.tuple(fc.nat(), ...members).map(([draw, ...values]) => {
    const chosen = new Map(schema.oneofs.map((oneof) => [oneof, oneof.fields[draw % oneof.fields.length]]));
    const kept = schema.fields.map((field, i) => {
      const isOut = field.oneof !== undefined && chosen.get(field.oneof) !== field;
      return [field.name, isOut ? undefined : values[i]] as const;
    });
    return Object.fromEntries(kept.filter(([, value]) => value !== undefined));
  });
}

function valueOf(field: DescField): fc.Arbitrary<unknown> {
  const one = valueOfOne(field);
  return field.fieldKind === 'list' ? fc.array(one, { maxLength: 3 }) : one;
}

function valueOfOne({ message, enum: enumeration, scalar }: DescField): fc.Arbitrary<unknown> {
  if (message !== undefined) return WELL_KNOWN[message.typeName] ?? anything(message);
  if (enumeration !== undefined) return fc.constantFrom(...enumeration.values.map(({ name }) => name));
  return SCALARS[scalar ?? ScalarType.STRING] ?? text;
}

t.test('what no reader could use is left out; a value of the wrong type is an error', async (t) => {
  const encode = compileEncoder(observer.GetFlowsResponseSchema);
  const nothing = {
    flow: { nosuch: 1, verdict: 'SLUICE_VERDICT', time: '', extensions: { '@type': 'x', value: 'y' } },
  };
  t.same(decodeEnvelope(encode(nothing)).flow, decodeEnvelope(encode({ flow: {} })).flow);
  const wrongs = [
    { flow: 5 },
    { flow: { uuid: 5 } },
    { flow: { source_names: 'x' } },
    { flow: { source_names: [{}] } },
    { flow: { drop_reason: 1.5 } },
    { flow: { l7: { latency_ns: '1e3' } } },
    { flow: { is_reply: 'yes' } },
    { flow: { time: 7 } },
  ];
  for (const value of wrongs) t.throws(() => encode(value), TypeError, JSON.stringify(value));
  t.throws(() => compileEncoder(HealthListResponseSchema), /is a list of numbers or a map/);
  t.equal(encode({ node_name: 'after errors' }).length, 15, 'what an error left behind is forgotten');
});

t.test('a filter may use every field of FlowFilter and every name of its enumerations', async (t) => {
  const texts = { port: '80', protocol: 'tcp', http_status_code: '404', ip: '10.0.0.1', xlated: '10.0.0.1' };
  for (const { name, enum: enumeration, scalar, message } of FlowFilterSchema.fields) {
    if (name === 'experimental') continue;
    const sample = Object.entries(texts).find(([part]) => name.endsWith(part))?.[1] ?? 'x';
    const values =
      enumeration?.values.map((one) => one.name) ??
      (message === undefined ? [scalar === ScalarType.BOOL ? true : scalar === ScalarType.STRING ? sample : 7] : [{}]);
    const filter = filterOf(fromJson(FlowFilterSchema, { [name]: values }));
    t.doesNotThrow(() => compileFilter(filter), name);
  }
});

t.test('a field mask keeps what it names', async (t) => {
  const [{ flow }] = envelopes;
  const { source, time, l4 } = flow!;
  t.same(compileMask(['time', 'source.pod_name', 'l4.TCP.destination_port'])(flow!), {
    time,
    l4: { TCP: { destination_port: l4!.TCP!.destination_port } },
    source: { pod_name: source.pod_name },
  });
  t.same(compileMask(['source', 'source.pod_name'])(flow!), { source }, 'the shorter path covers the longer');
  t.same(compileMask(['source.pod_name', 'source'])(flow!), { source }, 'in any order');
  t.same(compileMask(['time.seconds'])(flow!), { time }, 'a well-known message is one value');
  t.same(compileMask(['tunnel.vni', 'file'])(flow!), {}, 'fields that our flows do not have');
  for (const path of [
    '',
    'nosuch',
    'source.nosuch',
    'uuid.x',
    '__proto__',
    'ingress_allowed_by.name',
    'source.',
    'sourceNames',
  ]) {
    t.throws(() => compileMask([path]), SyntaxError, path);
  }
});
