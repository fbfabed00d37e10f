/** FlowFilters as they come in requests. */
import { toJson } from '@bufbuild/protobuf';
import type { FlowFilter } from '../filter/flow-filter.ts';
import { FlowFilterSchema, type FlowFilter as FlowFilterMessage } from '../proto/flow/flow_pb.ts';
import { JSON_OPTIONS } from './envelope.ts';

/** A filter as the compiler of filters knows it; whether its values make sense, the compiler says. */
export function filterOf(message: FlowFilterMessage): FlowFilter {
  return toJson(FlowFilterSchema, message, JSON_OPTIONS) as FlowFilter;
}
