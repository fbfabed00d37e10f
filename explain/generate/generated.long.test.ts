import { testGenerated } from '../../test/policy/generated.ts';

testGenerated({ seed: 5_000_000, worlds: 400 });
