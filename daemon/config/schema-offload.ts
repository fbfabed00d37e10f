/** Options of settled connections in the hands of the kernel (daemon/offload). */
import { OFFLOAD_CAPACITY } from '../../policy-maps/offload-map.ts';
import type { Option } from './option.ts';

export const OFFLOAD: Readonly<Record<string, Option>> = {
  offload: {
    type: 'string',
    meaning:
      'who forwards settled connections between pods of `attach: veth` that no L7 rule looks into: the dataplane, or the kernel by nftables (docs/pods.md)',
    fallback: 'none',
    values: ['none', 'nft'],
  },
  offloadAfterBytes: {
    type: 'integer',
    meaning: 'bytes of both directions after which a connection is settled',
    fallback: 65536,
    min: 1,
    max: 1073741824,
  },
};

export const OFFLOAD_MAPS: Readonly<Record<string, Option>> = {
  'bpf-offload-map-max': {
    type: 'integer',
    meaning: 'connections that the kernel forwards by itself (`offload: nft`); the others stay with the dataplane',
    fallback: OFFLOAD_CAPACITY,
    min: 16,
    max: 65536,
  },
};
