/**
 * grpc.reflection: the protos of what is served, for clients that have none. Versions v1 and v1alpha differ in their names
 * alone; the answers here have none, and each version puts its own.
 */
import {
  type DescEnum,
  type DescExtension,
  type DescFile,
  type DescMessage,
  type DescService,
  toBinary,
} from '@bufbuild/protobuf';
import { nestedTypes } from '@bufbuild/protobuf/reflect';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Code } from '@connectrpc/connect';
import type { ServerReflectionRequest as RequestV1 } from '../proto/grpc/reflection/v1/reflection_pb.ts';
import type { ServerReflectionRequest as RequestV1Alpha } from '../proto/grpc/reflection/v1alpha/reflection_pb.ts';

type Question = (RequestV1 | RequestV1Alpha)['messageRequest'];

/** Questions of one call; a client that lists all services and reads all their files asks some dozen. */
const MAX_QUESTIONS = 1000;

export class Reflection {
  readonly #services: readonly string[];
  readonly #files = new Map<string, DescFile>();
  readonly #symbols = new Map<string, DescFile>();

  /** @param files with the services; what they import is found */
  constructor(files: readonly DescFile[]) {
    this.#services = files.flatMap(({ services }) => services.map(({ typeName }) => typeName)).sort();
    for (const file of files) this.#learn(file);
  }

  /** An answer to each question, in their order. The call ends after MAX_QUESTIONS. */
  async *answers<T extends RequestV1 | RequestV1Alpha>(requests: AsyncIterable<T>) {
    let asked = 0;
    for await (const request of requests) {
      if (++asked > MAX_QUESTIONS) return;
      yield {
        validHost: request.host,
        originalRequest: request,
        messageResponse: this.#answer(request.messageRequest),
      };
    }
  }

  #learn(file: DescFile): void {
    const { name } = file.proto;
    if (this.#files.has(name)) return;
    this.#files.set(name, file);
    for (const type of nestedTypes(file)) for (const symbol of symbolsOf(type)) this.#symbols.set(symbol, file);
    for (const imported of file.dependencies) this.#learn(imported);
  }

  #answer(question: Question) {
    switch (question.case) {
      case 'listServices':
        return { case: 'listServicesResponse', value: { service: this.#services.map((name) => ({ name })) } } as const;
      case 'fileByFilename':
        return this.#fileAnswer(this.#files.get(question.value), question.value);
      case 'fileContainingSymbol':
        return this.#fileAnswer(this.#symbols.get(question.value), question.value);
      case 'allExtensionNumbersOfType':
        if (!this.#symbols.has(question.value)) return refused(Code.NotFound, question.value);
        return { case: 'allExtensionNumbersResponse', value: { baseTypeName: question.value } } as const; // there are none
      case 'fileContainingExtension':
        return refused(Code.NotFound, `${question.value.containingType}, extension ${question.value.extensionNumber}`);
      case undefined:
        return refused(Code.InvalidArgument, 'the question');
    }
  }

  #fileAnswer(file: DescFile | undefined, name: string) {
    if (file === undefined) return refused(Code.NotFound, name);
    const fileDescriptorProto = [...closureOf(file)].map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
    return { case: 'fileDescriptorResponse', value: { fileDescriptorProto } } as const;
  }
}

function refused(errorCode: Code, what: string) {
  return { case: 'errorResponse', value: { errorCode, errorMessage: `not found: ${what}` } } as const;
}

/** A file and all that it imports, itself first. */
function closureOf(file: DescFile, found = new Set<DescFile>()): Set<DescFile> {
  if (found.has(file)) return found;
  found.add(file);
  for (const imported of file.dependencies) closureOf(imported, found);
  return found;
}

/** Full names of a type and of what is in it; the values of an enumeration stand beside it. */
function symbolsOf(type: DescMessage | DescEnum | DescExtension | DescService): string[] {
  const { typeName } = type;
  switch (type.kind) {
    case 'message':
      return [typeName, ...type.members.map(({ name }) => `${typeName}.${name}`)];
    case 'service':
      return [typeName, ...type.methods.map(({ name }) => `${typeName}.${name}`)];
    case 'enum': {
      const scope = typeName.slice(0, typeName.lastIndexOf('.') + 1);
      return [typeName, ...type.values.map(({ name }) => `${scope}${name}`)];
    }
    case 'extension':
      return [typeName];
  }
}
