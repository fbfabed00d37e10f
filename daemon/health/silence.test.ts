/** When a pod that answers no echo request is told: not when a policy keeps it from being asked. */
import t from 'tap';
import type { AddressHealth } from '../../api/shapes.ts';
import { PROTO_ICMP } from '../../wire/protocols.ts';
import { silence } from './silence.ts';

const numbers = {
  endpointId: 7,
  addresses: [4, 6].map((family) => ({ family, text: family === 4 ? '10.9.0.2' : 'fd00::2' })),
};

function told(health: Readonly<Record<string, boolean>>, denied: readonly number[] = []): string {
  const prober = {
    health: (address: string): AddressHealth | undefined =>
      address in health ? { isReachable: health[address], probedAt: '' } : undefined,
  };
  const policy = { lookup: (_: number, __: number, protocol: number) => (denied.includes(protocol) ? -133 : 0) };
  return silence(numbers as unknown as Parameters<typeof silence>[0], prober, () => policy);
}

t.test('silence() tells of a pod none of whose addresses answers', async (t) => {
  t.equal(told({}), '', 'not probed yet');
  t.equal(told({ '10.9.0.2': true, 'fd00::2': false }), '');
  t.match(told({ '10.9.0.2': false, 'fd00::2': false }), /no echo request of the host at 10.9.0.2, fd00::2:/);
  t.match(told({ '10.9.0.2': false }, []), /at 10.9.0.2:/);
});

t.test('silence() leaves out what policy denies to the host', async (t) => {
  const health = { '10.9.0.2': false, 'fd00::2': false };
  t.match(told(health, [PROTO_ICMP]), /at fd00::2:/);
  t.equal(told(health, [PROTO_ICMP, 58]), '');
});
