/** The protos: what is generated from them is what is committed, and their numbers are Hubble's. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DescEnum, DescFile, DescMessage } from '@bufbuild/protobuf';
import t from 'tap';
import { run } from '../../test/command.ts';
import { readProto } from '../../test/hubble/proto-json.ts';
import { file_flow_flow } from './flow/flow_pb.ts';

const ROOT = join(import.meta.dirname, '../../..');

t.test('the committed TypeScript is what the protos say', async (t) => {
  const fresh = t.testdir();
  const made = await run([join(ROOT, 'scripts/protos'), fresh]);
  t.equal(made.code, 0, made.stderr);
  const filesIn = (folder: string) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('_pb.ts'))
      .sort();
  const home = join(ROOT, 'hubble/proto');
  t.equal(filesIn(fresh).length, 7);
  t.same(filesIn(home), filesIn(fresh), 'no file is missing or left over');
  for (const path of filesIn(fresh)) {
    const isSame = readFileSync(join(home, path), 'utf8') === readFileSync(join(fresh, path), 'utf8');
    t.ok(isSame, `${path}: run scripts/protos`);
  }
});

/** Of Layer7: what Hubble does not have. */
const OUR_OWN = ['tlsSNI'];

t.test('fields, types and numbers of flows are those of Cilium', async (t) => {
  const theirs = readProto(readFileSync(join(ROOT, 'test/hubble/flow.proto'), 'utf8'));
  const { messages, enums } = byName(file_flow_flow);
  t.ok(theirs.messages.size > 25 && theirs.enums.size > 10);
  for (const [name, fields] of theirs.messages) {
    const ours = (messages.get(name)?.fields ?? []).filter((field) => !OUR_OWN.includes(field.name));
    t.same(
      ours.map((field) => [field.name, field.number, field.fieldKind === 'list']).sort(),
      [...fields].map(([field, { number, isRepeated }]) => [field, number, isRepeated]).sort(),
      name,
    );
  }
  for (const [name, values] of theirs.enums) {
    const ours = enums.get(name)?.values.map((value) => [value.name, value.number]);
    t.same(ours?.sort(), [...values].sort(), name);
  }
});

function byName({ messages, enums }: DescFile) {
  const all = { messages: new Map<string, DescMessage>(), enums: new Map<string, DescEnum>() };
  const add = (list: readonly DescMessage[]): void => {
    for (const message of list) {
      all.messages.set(message.name, message);
      for (const one of message.nestedEnums) all.enums.set(one.name, one);
      add(message.nestedMessages);
    }
  };
  add(messages);
  for (const one of enums) all.enums.set(one.name, one);
  return all;
}
