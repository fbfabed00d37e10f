/** What redaction leaves of records. */
import t from 'tap';
import { ENDS, HTTP, l7Records, options } from '../../test/events.ts';
import { whole } from '../../test/told.ts';
import type { AccessLog } from '../../wire/access-log.ts';
import { Decoder } from './decoder.ts';
import { NO_REDACTION, Redaction, type RedactSettings } from './redact.ts';

const SECRET: AccessLog = {
  Type: 'Request',
  Verdict: 'Forwarded',
  ...ENDS,
  HTTP: {
    ...HTTP,
    URL: 'http://u:secret@api/x?token=secret#secret',
    Headers: {
      Authorization: ['secret'],
      Accept: ['a', 'b'],
      Traceparent: ['00-0123456789abcdef0123456789abcdef-0123456789abcdef-01'],
    },
  },
};

function flowOf(log: AccessLog, settings: Partial<RedactSettings>) {
  const redaction = new Redaction({ ...NO_REDACTION, ...settings });
  return new Decoder({ ...options, redaction }).decode(whole(l7Records(log)));
}

const headersOf = (settings: Partial<RedactSettings>) =>
  flowOf(SECRET, { enabled: true, ...settings })?.l7?.http?.headers?.map(({ key, value }) => `${key}: ${value}`);

t.test('a password in a URL is never told, unless that is asked for', async (t) => {
  const url = (settings: Partial<RedactSettings>) => {
    const flow = flowOf(SECRET, settings);
    t.ok(flow?.Summary?.includes(String(flow.l7?.http?.url)), 'the summary says the same');
    return flow?.l7?.http?.url;
  };
  t.equal(url({}), 'http://u:HUBBLE_REDACTED@api/x?token=secret#secret');
  t.equal(url({ 'http-userinfo': false }), SECRET.HTTP?.URL);
  t.equal(url({ 'http-urlquery': true }), 'http://u:HUBBLE_REDACTED@api/x?token=secret#secret', 'redaction is off');
  t.equal(url({ enabled: true, 'http-urlquery': true }), 'http://u:HUBBLE_REDACTED@api/x');
  t.equal(url({ enabled: true, 'http-urlquery': true, 'http-userinfo': false }), 'http://u:secret@api/x');
});

t.test('headers are told by list, with neither none is, and the trace is known all the same', async (t) => {
  const all = [
    'Accept: HUBBLE_REDACTED',
    'Accept: HUBBLE_REDACTED',
    'Authorization: HUBBLE_REDACTED',
    'Traceparent: HUBBLE_REDACTED',
  ];
  t.same(headersOf({}), all);
  t.same(headersOf({ 'http-headers-allow': ['ACCEPT'] }), ['Accept: a', 'Accept: b', ...all.slice(2)]);
  t.same(headersOf({ 'http-headers-deny': ['authorization', 'traceparent'] }), [
    'Accept: a',
    'Accept: b',
    ...all.slice(2),
  ]);
  t.match(flowOf(SECRET, { enabled: true })?.trace_context, {
    parent: { trace_id: '0123456789abcdef0123456789abcdef' },
  });
  t.same(flowOf(SECRET, {})?.l7?.http?.headers?.[2], { key: 'Authorization', value: 'secret' });
});

t.test('nothing of what is redacted is anywhere in the flow', async (t) => {
  const flow = flowOf(SECRET, { enabled: true, 'http-urlquery': true });
  t.notMatch(JSON.stringify(flow), /secret/);
  const passwords = ['http://a:se:cret@api/', 'http://a:@secret@api/', 'http://:secret@api/', 'HTTP://a:secret@api'];
  for (const URL of passwords) {
    t.notMatch(JSON.stringify(flowOf({ ...SECRET, HTTP: { ...HTTP, URL } }, {})), /secret|se:cret/, URL);
  }
});

t.test('the request of Kafka, and the bytes of a tunnel, which are ours to tell', async (t) => {
  const kafka: AccessLog = {
    ...SECRET,
    HTTP: undefined,
    Kafka: { APIKey: 'fetch', CorrelationID: 1, Topic: 'a' },
  } as never;
  t.equal(flowOf(kafka, { enabled: true })?.l7?.kafka?.api_key, 'fetch');
  const hidden = flowOf(kafka, { enabled: true, 'kafka-apikey': true });
  t.equal(hidden?.l7?.kafka?.api_key, 'HUBBLE_REDACTED');
  t.notMatch(hidden?.Summary, 'fetch');
  const tunnel = flowOf({ ...SECRET, Type: 'Sample', Carried: { FromClient: 1, ToClient: 2 } }, { enabled: true });
  t.match(tunnel?.l7?.http?.headers?.at(-1), { key: 'Sluice-Bytes-Received', value: '2' });
});
