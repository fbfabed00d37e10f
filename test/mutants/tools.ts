/** Faults that people see who look at the dataplane with tools of their own, or with ours. */
import type { Mutant } from './mutant.ts';

const STOCK_CLIENT = ['hubble/decode/stock-client.test.ts'];

export const TOOLS: readonly Mutant[] = [
  {
    name: 'own-reasons-go-out-as-they-are',
    fault: 'a stock client of Hubble warns at every flow with a reason of our own, and prints a number',
    file: 'hubble/decode/decode.ts',
    was: 'fields.drop_reason = hubbleReason(reason);',
    is: 'fields.drop_reason = reason;',
    killedBy: STOCK_CLIENT,
  },
  {
    name: 'reasons-by-names-of-the-datapath',
    fault: 'a stock client of Hubble does not know the name that a reason goes out with',
    file: 'wire/reasons.ts',
    was: "reason(136, 'CT_MISSING_TCP_ACK_FLAG',",
    is: "reason(136, 'DROP_FRAG_NEEDED',",
    killedBy: [...STOCK_CLIENT, 'wire/reasons.test.ts'],
  },
];
